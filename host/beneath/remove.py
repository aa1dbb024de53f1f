"""Removes what anybody may have made: deep, immutable, without a right to look, with odd names."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

from host.beneath.walk import identity, look, up

# <linux/fs.h>; the flags are what chattr(1) calls i and a
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602
_HOLDING = 0x10 | 0x20


def remove_tree(path: Path) -> None:
    """Remove a file, link or whole folder of the host's if it is there; see remove_at().

    Raises OSError for what can't be removed.
    """
    parent = _open_parent(path.parent)
    try:
        remove_at(parent, path.name)
    finally:
        os.close(parent)


def _open_parent(folder: Path) -> int:
    """Open a folder to remove something in it; chattr(1)'s flags can't be changed by O_PATH."""
    flags = os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(folder, os.O_RDONLY | flags)
    except PermissionError:  # it may be entered and not be listed
        return os.open(folder, os.O_PATH | flags)


def remove_at(folder: int, name: str) -> None:
    """Remove a name and all below it, whatever its modes, depth and flags (chattr(1)).

    folder: descriptor of the folder that it is in. Links are removed, not followed; what is
    mounted below is not entered. Nothing there is no error.
    """
    status = look(folder, name)
    if status is None:
        return
    if not stat.S_ISDIR(status.st_mode):
        _unlink(folder, name)
        return
    here = _enter(folder, name)
    try:
        device = os.fstat(here).st_dev
        levels: list[tuple[str, tuple[int, int], list[str]]] = [
            (name, identity(here), os.listdir(here))]
        while True:
            top_name, _, waiting = levels[-1]
            if waiting:
                child = waiting.pop()
                status = look(here, child)
                if status is None:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if status.st_dev != device:
                        raise OSError(errno.EBUSY, "something is mounted in it", child)
                    down = _enter(here, child)
                    os.close(here)
                    here = down
                    levels.append((child, identity(here), os.listdir(here)))
                else:
                    _unlink(here, child)
                continue
            levels.pop()
            if not levels:
                break
            above = up(here, levels[-1][1])
            os.close(here)
            here = above
            _remove_empty(here, top_name)
    finally:
        os.close(here)
    _remove_empty(folder, name)


def _enter(folder: int, name: str) -> int:
    """Open a folder so that its content can be removed: flags and modes that forbid it go first."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = stat.S_IMODE(os.fstat(found).st_mode)
        if os.geteuid() != 0 and mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(f"/proc/self/fd/{found}", stat.S_IRWXU)
        opened = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(found)
    release(opened)
    return opened


def _unlink(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except PermissionError:
        release(folder)
        _release_file(folder, name)
        os.unlink(name, dir_fd=folder)


def _remove_empty(folder: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except PermissionError:
        release(folder)
        os.rmdir(name, dir_fd=folder)


def _release_file(folder: int, name: str) -> None:
    """Take the flags from a regular file that keep it; nothing else can have any."""
    status = look(folder, name)
    if status is None or not stat.S_ISREG(status.st_mode):
        return
    with suppress(OSError):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                             dir_fd=folder)
        try:
            release(descriptor)
        finally:
            os.close(descriptor)


def release(descriptor: int) -> None:
    """Take the flags immutable and append-only away; file systems without flags have none."""
    with suppress(OSError):
        flags = struct.unpack("i", fcntl.ioctl(descriptor, GET_FLAGS, bytes(4)))[0]
        if flags & _HOLDING:
            fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("i", flags & ~_HOLDING))
