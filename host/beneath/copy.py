"""Copies a tree that somebody else made, by descriptors: only folders and files are opened."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath

from host.beneath.root import Root
from host.beneath.walk import Found, identity
from host.sparse import copy_content


def copy_tree(source: Root, target: Path) -> None:
    """Copy everything below a tree's top into the new folder `target`, and the top's own mode.

    Modes, times and extended attributes come along and holes stay holes; owners become the
    caller's. Links are made anew, whatever they say, and so are FIFOs and sockets. Devices are
    left out: no sandbox lets one be opened. Raises OSError for what the kernel refuses.
    """
    target.mkdir(mode=0o700)
    copy = Root(target)
    with source.folder() as top:
        folders = [("/", os.fstat(top))]
    for found in source.walk():
        if stat.S_ISCHR(found.status.st_mode) or stat.S_ISBLK(found.status.st_mode):
            continue
        if found.is_folder:
            folders.append((found.path, found.status))
        with copy.folder(str(PurePosixPath(found.path).parent), links=False) as into:
            _copy(found, into)
    for path, status in reversed(folders):  # last: copying into a folder changes its time
        with copy.folder(path, links=False) as folder:
            os.fchmod(folder, stat.S_IMODE(status.st_mode))
            os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy(found: Found, into: int) -> None:
    """Make what was found anew in another folder; of a folder, itself alone."""
    status, name = found.status, found.name
    if found.is_link:
        os.symlink(os.readlink(name, dir_fd=found.folder), name, dir_fd=into)
    elif found.is_folder:
        os.mkdir(name, 0o700, dir_fd=into)
    elif found.is_file:
        _copy_file(found, into)
    else:
        os.mknod(name, stat.S_IFMT(status.st_mode) | 0o600, dir_fd=into)
    for attribute, value in found.attributes().items():
        with suppress(OSError):  # one that this file system does not have
            os.setxattr(f"/proc/self/fd/{into}/{name}", attribute, value, follow_symlinks=False)
    if found.is_folder:
        return
    if not found.is_link:
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=into)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=into, follow_symlinks=False)


def _copy_file(found: Found, into: int) -> None:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    source = os.open(found.name, os.O_RDONLY | flags, dir_fd=found.folder)
    try:
        if identity(source) != (found.status.st_dev, found.status.st_ino):
            raise OSError(f"{found.path} was replaced while it was copied")
        target = os.open(found.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags, 0o600,
                         dir_fd=into)
        try:
            copy_content(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)
