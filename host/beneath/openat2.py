"""openat2(2): opens a path as a process sees it whose / is a given folder, by descriptor.

Resolution ends at that folder: neither `..` nor an absolute link leads out of it, however the tree
changes meanwhile, and links of /proc (magic links) are refused. Kernels before Linux 5.6, and
containers whose seccomp filter does not know the call, answer ENOSYS: then the path is walked here,
name by name on descriptors (`walked`), which is as safe and a little slower.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

_OPENAT2 = 437  # on every architecture (Linux 5.6, arch/*/kernel/syscalls)
_NO_MAGICLINKS, _NO_SYMLINKS, _IN_ROOT = 0x02, 0x04, 0x10  # <linux/openat2.h>
_TRIES = 2000
LINKS_MAX = 40
"""As many symbolic links as Linux follows before it says ELOOP (path_resolution(7))."""

_libc = ctypes.CDLL(None, use_errno=True)
_is_there = True


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_inside(top: int, path: str | bytes, flags: int, *, links: bool = True) -> int:
    """Open `path` below the folder that the descriptor `top` is, and return its descriptor.

    flags: of open(2), without O_CREAT; O_CLOEXEC is added. links: False refuses any symbolic link
    on the way (ELOOP). A link at the end is followed unless flags hold O_NOFOLLOW.
    Raises OSError.
    """
    if not _is_there:
        return walked(top, path, flags, links=links)
    how = _How(flags | os.O_CLOEXEC, 0,
               _IN_ROOT | _NO_MAGICLINKS | (0 if links else _NO_SYMLINKS))
    raw = os.fsencode(path) or b"."
    if b"\0" in raw:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fsdecode(raw))
    for _ in range(_TRIES):
        descriptor = _libc.syscall(
            _OPENAT2, top, raw, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
        if descriptor >= 0:
            return int(descriptor)
        code = ctypes.get_errno()
        if code == errno.ENOSYS:
            return _without(top, path, flags, links)
        if code not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: something was renamed or mounted
            raise OSError(code, os.strerror(code), os.fsdecode(raw))
    raise OSError(errno.EAGAIN, "the tree changes all the time", os.fsdecode(raw))


def _without(top: int, path: str | bytes, flags: int, links: bool) -> int:
    global _is_there
    _is_there = False
    return walked(top, path, flags, links=links)


def walked(top: int, path: str | bytes, flags: int, *, links: bool = True) -> int:
    """Do what open_inside() does with openat(2) alone: each name is opened without following it.

    `..` goes back to the descriptor that was come from, never to what lies there by now.
    """
    waiting = os.fsencode(path).split(b"/")[::-1]
    way = [os.dup(top)]
    followed = 0
    try:
        while waiting:
            name = waiting.pop()
            if name in (b"", b".", b"..") and not stat.S_ISDIR(os.fstat(way[-1]).st_mode):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(path))
            if name in (b"", b"."):
                continue
            if name == b"..":
                if len(way) > 1:
                    os.close(way.pop())
                continue
            found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way[-1])
            way.append(found)
            is_kept = not waiting and flags & os.O_NOFOLLOW
            if not stat.S_ISLNK(os.fstat(found).st_mode) or is_kept:
                continue
            followed += 1
            if not links or followed > LINKS_MAX:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(path))
            target = os.readlink(b"", dir_fd=found)
            os.close(way.pop())
            if target.startswith(b"/"):
                while len(way) > 1:
                    os.close(way.pop())
            waiting += target.split(b"/")[::-1]
        return _opened(way[-1], flags, path)
    finally:
        for descriptor in way:
            os.close(descriptor)


def _opened(found: int, flags: int, path: str | bytes) -> int:
    """Return a descriptor with the wanted flags for what an O_PATH descriptor is."""
    mode = os.fstat(found).st_mode
    if flags & os.O_DIRECTORY and not stat.S_ISDIR(mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(path))
    if flags & os.O_PATH:
        return os.dup(found)
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(path))
    return reopen(found, flags & ~os.O_NOFOLLOW)


def reopen(found: int, flags: int) -> int:
    """Open what an O_PATH descriptor is (proc(5), /proc/PID/fd); its name is not looked up again.

    Look at its type first: opening a device or a FIFO does things by itself.
    """
    return os.open(f"/proc/self/fd/{found}", flags | os.O_CLOEXEC)
