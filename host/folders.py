"""Folders of our own: what lies around them gives them neither an ACL nor a group nor a reader."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from host.beneath.remove import release, remove_tree
from host.errors import HostError

PRIVATE = 0o700
_ACLS = ("system.posix_acl_default", "system.posix_acl_access")


def own_folder(path: Path, mode: int = PRIVATE) -> Path:
    """Make a folder (and those above it, 0755) unless it is there; see that it is as we mean it.

    A folder inherits an ACL, and with a setgid bit the group, of the one above it, and hands both
    on to all that is made in it: they would end in the image. Raises OSError, and HostError for a
    folder that belongs to somebody else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=PRIVATE)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _settle(descriptor, path, mode)
    finally:
        os.close(descriptor)
    return path


def real_folder(path: Path, mode: int = PRIVATE) -> Path:
    """Do what own_folder() does; a link, file or device in its place makes way."""
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            remove_tree(path)
    return own_folder(path, mode)


def is_real_folder(path: Path) -> bool:
    """Say whether a folder is there, and not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def content(folder: Path) -> list[Path]:
    """Return what is in a folder, in the order of the names; nothing if it is none, or a link."""
    if not is_real_folder(folder):
        return []
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _settle(descriptor: int, path: Path, mode: int) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise HostError(
            "the folder belongs to another user", where=str(path),
            why=f"to the user with the number {status.st_uid}, who can change what is in it",
            remedy="give a folder of your own, or remove this one",
        )
    release(descriptor)
    for name in set(_ACLS) & set(_attributes(descriptor)):
        os.removexattr(descriptor, name)
    if status.st_gid != os.getegid():
        os.fchown(descriptor, -1, os.getegid())
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
        os.fchmod(descriptor, mode)


def _attributes(descriptor: int) -> list[str]:
    try:
        return os.listxattr(descriptor)
    except OSError:  # a file system that has none
        return []
