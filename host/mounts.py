"""Mounts that nobody else sees and that vanish with the process that made them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from host.errors import HostError
from host.run import run

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def private_mounts() -> None:
    """Move this thread, and all it starts from now on, into a mount namespace of its own.

    Whatever is mounted afterwards is invisible to the host and goes when the last process of the
    namespace ends, so even `kill -9` leaves no mount and no loop device (mount(8) sets
    autoclear). Calling it twice is harmless. Raises HostError without the right to do so.
    """
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise HostError(
            "cannot make a private mount namespace", why=os.strerror(ctypes.get_errno()),
            remedy="run as root; in a container add --cap-add SYS_ADMIN (`ccis doctor` tells more)",
        )
    if _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        raise HostError("cannot make mounts private", why=os.strerror(ctypes.get_errno()))


@contextmanager
def mounted(
    source: str | Path, target: Path, fstype: str, options: Sequence[str] = (),
) -> Iterator[Path]:
    """Mount for the block; use it only behind private_mounts()."""
    words = ["mount", "-t", fstype, *(["-o", ",".join(options)] if options else [])]
    run([*words, source, target])
    try:
        yield target
    finally:
        unmount(target)


def unmount(target: Path) -> None:
    """Unmount at once if possible, else as soon as the last user of it has gone (umount2(2))."""
    if _libc.umount2(os.fsencode(target), 0) != 0:
        _libc.umount2(os.fsencode(target), _MNT_DETACH)


@contextmanager
def overlay(lower: Sequence[Path], upper: Path, work: Path, target: Path) -> Iterator[Path]:
    """Mount a writable view of `lower` (topmost first) whose changes land in `upper`.

    metacopy keeps a change of owner, mode or label from copying the file's data, so that
    relabelling a tree of 400 MB costs no more than its inodes.
    """
    options = [
        "lowerdir=" + ":".join(str(layer) for layer in lower),
        f"upperdir={upper}", f"workdir={work}", "index=off", "metacopy=on", "redirect_dir=on",
    ]
    with mounted("overlay", target, "overlay", options) as view:
        yield view


@contextmanager
def read_only_overlay(lower: Sequence[Path], target: Path) -> Iterator[Path]:
    """Mount several layers (topmost first) as one tree that nobody can change."""
    if len(lower) == 1:
        with mounted(lower[0], target, "none", ["bind", "ro"]) as view:
            yield view
        return
    layers = ":".join(str(layer) for layer in lower)
    options = [f"lowerdir={layers}", "metacopy=on", "redirect_dir=follow"]
    with mounted("overlay", target, "overlay", options) as view:
        yield view
