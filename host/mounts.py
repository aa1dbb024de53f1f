"""Mounts that nobody else sees and that vanish with the process that made them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from host.errors import HostError
from host.run import run

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_MS_REMOUNT, _MS_BIND = 0x20, 0x1000
# Linux before 5.10 knows no MS_NOSYMFOLLOW (mount(2)) and ignores it.
_MS_RDONLY, _MS_HARMLESS = 0x1, 0x2 | 0x4 | 0x8 | 0x100
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


def bind(source: int, target: int) -> None:
    """Show the folder that one descriptor is over the one that another is.

    No path is looked up, so no link on the way to either can lead elsewhere. What is mounted below
    the source stays out. The mount goes with unmount() of what it lies in. Use it only behind
    private_mounts(). Raises OSError.
    """
    _mount(f"/proc/self/fd/{source}", f"/proc/self/fd/{target}", _MS_BIND)


def shield(mountpoint: Path, *, read_only: bool) -> None:
    """Make a mount harmless to programs that copy what is in it, whatever its content.

    No link in it is followed (nosymfollow), no device opened, nothing run, and, if wanted, nothing
    written; links and devices are still listed, read and made. Raises OSError.
    """
    flags = _MS_HARMLESS | (_MS_RDONLY if read_only else 0)
    _mount(None, str(mountpoint), _MS_REMOUNT | _MS_BIND | flags)


def _mount(
    source: str | None, target: str, flags: int, fstype: str | None = None,
    options: str | None = None,
) -> None:
    words = [None if each is None else os.fsencode(each)
             for each in (source, target, fstype, options)]
    if _libc.mount(words[0], words[1], words[2], flags, words[3]) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def unmount(target: Path) -> None:
    """Unmount at once if possible, else as soon as the last user of it has gone (umount2(2)).

    What is mounted in it goes with it.
    """
    if _libc.umount2(os.fsencode(target), 0) != 0:
        _libc.umount2(os.fsencode(target), _MNT_DETACH)


@contextmanager
def overlay(
    lower: Sequence[Path], upper: Path, work: Path, target: Path, source: str = "overlay",
) -> Iterator[Path]:
    """Mount a writable view of `lower` (topmost first) whose changes land in `upper`.

    metacopy keeps a change of owner, mode or label from copying the file's data, so that
    relabelling a tree of 400 MB costs no more than its inodes. index keeps hard links whole while
    it is mounted; `work` must be empty. source: what the table of mounts names as the device.
    Raises HostError.
    """
    with _by_descriptor([upper, work, *lower]) as (above, beside, *below):
        options = (f"lowerdir={':'.join(below)},upperdir={above},workdir={beside},"
                   "index=on,metacopy=on,redirect_dir=on")
        _mount_overlay(source, target, options)
    try:
        yield target
    finally:
        unmount(target)


@contextmanager
def read_only_overlay(lower: Sequence[Path], target: Path) -> Iterator[Path]:
    """Mount several layers (topmost first) as one tree that nobody can change."""
    if len(lower) == 1:
        with mounted(lower[0], target, "none", ["bind", "ro"]) as view:
            yield view
        return
    with _by_descriptor(lower) as below:
        _mount_overlay("overlay", target,
                       f"lowerdir={':'.join(below)},metacopy=on,redirect_dir=follow")
    try:
        yield target
    finally:
        unmount(target)


@contextmanager
def _by_descriptor(folders: Sequence[Path]) -> Iterator[list[str]]:
    """Yield names for folders that hold no character with a meaning, and tell nobody a path.

    Whatever sees the mount sees its options. The names are looked up while it is mounted only.
    """
    with ExitStack() as stack:
        names = []
        for folder in folders:
            descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            names.append(f"/proc/self/fd/{descriptor}")
        yield names


def _mount_overlay(source: str, target: Path, options: str) -> None:
    try:
        _mount(source, str(target), 0, "overlay", options)
    except OSError as error:
        raise HostError(
            "the layers of the tree can't be mounted as one", where=str(target),
            why=error.strerror, remedy="see `ccis doctor`, overlayfs",
        ) from error
