"""Locks between processes that the kernel drops when their holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host.beneath.remove import release, remove_tree

log = logging.getLogger("ccis.locks")
"""What is told here, a person at a terminal gets to see: nothing goes on meanwhile."""

SAY_AFTER_S = 3.0

_NO_LOCK = (errno.ELOOP, errno.EISDIR, errno.EPERM, errno.ENXIO)
"""What open(2) says of a link, a folder, an immutable file, and a socket or device."""


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock file `path` for the block, waiting for others; shared: many may hold it.

    A wait of more than SAY_AFTER_S is said.

    The lock file may be deleted by whoever holds it alone; then the waiters start over with the
    new file, so that a deleted name never guards anything.
    """
    descriptor = try_lock(path, shared=shared)
    if descriptor is None:
        with _said(path):
            descriptor = _take(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    assert descriptor is not None
    try:
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Take the lock now: its descriptor (os.close() frees it), or None if others hold it."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    return _take(path, mode | fcntl.LOCK_NB)


def wait_lock(path: Path) -> int:
    """Take the lock when others let go of it: its descriptor (os.close() frees it).

    Who calls this says what is waited for.
    """
    descriptor = _take(path, fcntl.LOCK_EX)
    assert descriptor is not None
    return descriptor


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say that we wait, if the block takes long."""
    timer = threading.Timer(SAY_AFTER_S, log.warning, (
        "waiting for another process, which holds %s", path))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _take(path: Path, operation: int) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, operation)
            if _still_named(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _open(path: Path) -> int:
    """Open a lock file; whatever else lies there by an accident makes way for one.

    Raises OSError, of the second attempt.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno not in _NO_LOCK:
            raise
    else:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    remove_tree(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        release(folder)
        return os.open(path.name, flags, 0o600, dir_fd=folder)
    finally:
        os.close(folder)


def _still_named(descriptor: int, path: Path) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)
