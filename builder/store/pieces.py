"""A file's content in pieces: each has a digest of its own, so that one can be read for itself."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator

PIECE_BYTES = 1 << 20
_HOLE = bytes(PIECE_BYTES)


def digest_of(piece: memoryview) -> str:
    """Return a piece's digest; nothing for one of zeros, whether it is a hole or not."""
    if piece.obj is _HOLE or not (piece[0] or bytes(piece).strip(b"\0")):
        return ""
    return hashlib.sha256(piece).hexdigest()


def pieces(
    descriptor: int, size_bytes: int, buffer: memoryview,
) -> Iterator[tuple[int, memoryview]]:
    """Yield (offset, content) of a file's pieces; one is valid until the next."""
    data = -1
    for start in range(0, size_bytes, PIECE_BYTES):
        length = min(PIECE_BYTES, size_bytes - start)
        if length == PIECE_BYTES and data < start:  # a large file may have holes
            data = _next_data(descriptor, start, size_bytes)
        if length == PIECE_BYTES and data >= start + length:
            yield start, memoryview(_HOLE)[:length]
        else:
            yield start, piece_at(descriptor, start, length, buffer)


def piece_at(descriptor: int, start: int, length: int, buffer: memoryview) -> memoryview:
    """Return a file's content at one place. Raises OSError, also when it is shorter."""
    done = 0
    while done < length:
        got = os.preadv(descriptor, [buffer[done:length]], start + done)
        if got == 0:
            raise OSError(errno.EIO, "a file is shorter than it says")
        done += got
    return buffer[:length]


def _next_data(descriptor: int, start: int, size_bytes: int) -> int:
    try:
        return os.lseek(descriptor, start, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size_bytes
