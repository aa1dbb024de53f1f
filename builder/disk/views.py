"""The part of the root tree that belongs on one file system, shown as a folder of its own.

Whoever wrote the tree's scripts chose what lies at a mount point and on the way to it. So mount
points are opened name by name, no link on the way is taken, and from then on the open folder is
what is bound and packed, not its path.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.beneath.walk import NOT_THERE
from host.errors import InputError, from_os_error
from host.mounts import bind, shield, unmount


def check_mountpoints(tree: Path, mountpoints: Sequence[str]) -> None:
    """Raise InputError when the tree lacks a folder where a file system is to be mounted."""
    for point in mountpoints:
        with mount_folder(tree, point):
            pass


@contextmanager
def mount_folder(tree: Path, mountpoint: str, below: str | None = None) -> Iterator[int]:
    """Yield a descriptor of the folder at a mount point.

    below: its path in `tree`, when that is not the whole root tree but a part of it.
    Raises InputError, naming the mount point, when there is no folder or a link is on the way.
    """
    root, path = Root(tree), mountpoint if below is None else below
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(root.folder(path, links=False))
        except OSError as error:
            if error.errno not in (errno.ELOOP, *NOT_THERE):
                raise
            link = _first_link(root, path) if error.errno == errno.ELOOP else None
            raise InputError(
                f"the root tree has no folder for the mount point {mountpoint}",
                where=mountpoint, why=f"{link} is a link" if link else None,
                remedy="make it in the kickstart, or install the package that owns it"
                if link is None else "mount at the folder itself, or make no link there",
            ) from error
        yield folder


def _first_link(root: Root, path: str) -> str | None:
    above = [str(each) for each in PurePosixPath("/", path).parents][::-1]
    return next((each for each in (*above, path) if root.is_link(each)), None)


@contextmanager
def view(tree: Path, mountpoint: str, inner: Sequence[str], scratch: Path) -> Iterator[Path]:
    """Yield a folder that shows what `tree` has at `mountpoint` and nothing of what is mounted.

    It can't be written, and no link in it leads anywhere: what copies it is a program that does
    not know whose tree it is. The bind mount is not recursive: what is mounted inside the tree,
    such as /proc, stays out. Each mount point of `inner` shows as an empty folder of the right
    owner, mode and label. Use it only behind private_mounts().

    inner: the mount points below this one. scratch: an empty folder on a file system that keeps
    security attributes; it is left as it was.
    Raises InputError for a mount point without a folder, or below a link.
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
    stack.callback(remove_tree, masks)
    with mount_folder(tree, mountpoint) as source, Root(shown).folder() as target:
        bind(source, target)
    stack.callback(unmount, shown)
    shield(shown, read_only=True)
    for number, point in enumerate(inner):
        if any(point.startswith(outer.rstrip("/") + "/") for outer in inner[:number]):
            continue  # hidden already behind the mask of an outer one
        mask = masks / str(number)
        mask.mkdir()
        below = "/" + point.removeprefix(mountpoint.rstrip("/")).lstrip("/")
        with mount_folder(shown, point, below) as folder, Root(mask).folder() as empty:
            copy_attributes(folder, empty)
            bind(empty, folder)
    return shown


def copy_attributes(source: int, target: int) -> None:
    """Give one open folder the owner, mode, extended attributes and times of another."""
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    for name in os.listxattr(source):
        os.setxattr(target, name, os.getxattr(source, name))
    os.fchmod(target, status.st_mode & 0o7777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
