"""Copies a file and hashes it on the way: one read, holes stay holes, blocks shared if possible."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from host.sparse import pieces

_FICLONE = 0x40049409  # linux/fs.h
_NO_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM)


def copy_hashed(origin: BinaryIO, target: Path, on_bytes: Callable[[int], None]) -> str:
    """Copy an open regular file to a new one and return the SHA-256 of what was copied.

    On a file system that can (xfs, btrfs) both share their blocks until one is written to.
    What is hashed is what was written, so a source that changes meanwhile can't slip through.
    on_bytes: called with the number of bytes of each piece. Raises OSError.
    """
    digest = hashlib.sha256()
    with target.open("xb+", buffering=0) as copy:
        shares = _clone(origin, copy)
        source = copy if shares else origin
        size_bytes = os.fstat(source.fileno()).st_size
        for offset, piece, is_data in pieces(source.fileno(), size_bytes):
            written = len(piece) if shares or not is_data else 0
            while written < len(piece):  # a nearly full disk takes a part first
                written += os.pwrite(copy.fileno(), piece[written:], offset + written)
            digest.update(piece)
            on_bytes(len(piece))
        copy.truncate(size_bytes)
    return digest.hexdigest()


def _clone(origin: BinaryIO, copy: BinaryIO) -> bool:
    try:
        fcntl.ioctl(copy.fileno(), _FICLONE, origin.fileno())
    except OSError as error:
        if error.errno in _NO_CLONE:
            return False
        raise
    return True
