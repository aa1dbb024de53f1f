"""Copies a file and hashes it on the way: one read, holes stay holes."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(_CHUNK_BYTES)


def copy_hashed(source: Path, target: Path, on_bytes: Callable[[int], None]) -> str:
    """Copy a regular file to a new one and return the SHA-256 of what was copied.

    What is hashed is what was written, so a source that changes meanwhile can't slip through.
    on_bytes: called with the number of bytes of each piece. Raises OSError.
    """
    digest = hashlib.sha256()
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(reading, "rb", buffering=0) as origin, target.open("xb", buffering=0) as copy:
        size_bytes = os.fstat(origin.fileno()).st_size
        for start, end, is_data in _extents(origin.fileno(), size_bytes):
            at = start
            while at < end:
                length = min(_CHUNK_BYTES, end - at)
                if is_data:
                    piece = os.pread(origin.fileno(), length, at)
                    if not piece:
                        raise OSError(errno.EIO, "the file was cut short while it was read",
                                      str(source))
                    os.pwrite(copy.fileno(), piece, at)
                else:
                    piece = _ZEROS[:length]
                digest.update(piece)
                at += len(piece)
                on_bytes(len(piece))
        copy.truncate(size_bytes)
    return digest.hexdigest()


def _extents(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether there is data) from the start of a file to its end."""
    at = 0
    while at < size_bytes:
        try:
            data = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # no data from here to the end
                raise
            data = size_bytes
        if data > at:
            yield at, min(data, size_bytes), False
        if data >= size_bytes:
            return
        hole = min(os.lseek(descriptor, data, os.SEEK_HOLE), size_bytes)
        yield data, hole, True
        at = hole
