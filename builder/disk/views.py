"""The part of the root tree that belongs on one file system, shown as a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from host.errors import InputError, from_os_error
from host.mounts import mounted


def check_mountpoints(tree: Path, mountpoints: Sequence[str]) -> None:
    """Raise InputError when the tree lacks a folder where a file system is to be mounted."""
    for point in mountpoints:
        folder = tree / point.lstrip("/")
        if not folder.is_dir() or folder.is_symlink():
            raise InputError(
                f"the root tree has no folder for the mount point {point}", where=str(folder),
                remedy="make it in the kickstart, or install the package that owns it",
            )


@contextmanager
def view(tree: Path, mountpoint: str, inner: Sequence[str], scratch: Path) -> Iterator[Path]:
    """Yield a folder that shows what `tree` has at `mountpoint` and nothing of what is mounted.

    The bind mount is not recursive: what is mounted inside the tree, such as /proc, stays out.
    Each mount point of `inner` shows as an empty folder of the right owner, mode and label. Use
    it only behind private_mounts().

    inner: the mount points below this one. scratch: an empty folder on a file system that keeps
    security attributes; it is left as it was.
    """
    with ExitStack() as stack:
        try:
            shown = _arrange(tree, mountpoint, inner, scratch, stack)
        except OSError as error:
            raise from_os_error(error, f"reading the root tree at {mountpoint}") from error
        yield shown


def _arrange(
    tree: Path, mountpoint: str, inner: Sequence[str], scratch: Path, stack: ExitStack,
) -> Path:
    shown, masks = scratch / "view", scratch / "masks"
    shown.mkdir()
    stack.callback(shown.rmdir)
    masks.mkdir()
    stack.callback(shutil.rmtree, masks, ignore_errors=True)
    stack.enter_context(mounted(tree / mountpoint.lstrip("/"), shown, "none", ["bind"]))
    for number, point in enumerate(inner):
        relative = point.removeprefix(mountpoint.rstrip("/")).lstrip("/")
        if any(point.startswith(outer.rstrip("/") + "/") for outer in inner[:number]):
            continue  # hidden already behind the mask of an outer one
        mask = masks / str(number)
        mask.mkdir()
        copy_attributes(shown / relative, mask)
        stack.enter_context(mounted(mask, shown / relative, "none", ["bind"]))
    return shown


def copy_attributes(source: Path, target: Path) -> None:
    """Give one folder the owner, mode, extended attributes and times of another."""
    status = source.stat()
    os.chown(target, status.st_uid, status.st_gid)
    for name in os.listxattr(source):
        os.setxattr(target, name, os.getxattr(source, name))
    target.chmod(status.st_mode & 0o7777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
