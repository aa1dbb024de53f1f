"""Reads a file piece by piece without asking the disk for its holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

PIECE_BYTES = 1 << 20
_ZEROS = memoryview(bytes(PIECE_BYTES))


def pieces(descriptor: int, size_bytes: int) -> Iterator[tuple[int, memoryview, bool]]:
    """Yield (offset, content, whether it is data) from the start of a file to its end.

    A piece is valid until the next one. A file that gets shorter meanwhile raises OSError.
    Pieces of a hole are zeros that were not read: of a disk image of 10 GiB with 400 MB in it,
    the kernel would otherwise fill the page cache with nothing.
    """
    buffer = memoryview(bytearray(PIECE_BYTES))
    for start, end, is_data in _extents(descriptor, size_bytes):
        at = start
        while at < end:
            length = min(PIECE_BYTES, end - at)
            if is_data:
                length = os.preadv(descriptor, [buffer[:length]], at)
                if length == 0:
                    raise OSError(errno.EIO, "the file was cut short while it was read")
            yield at, (buffer if is_data else _ZEROS)[:length], is_data
            at += length


def _extents(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int, bool]]:
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


def copy_content(source: int, target: int) -> None:
    """Copy a regular file's content to a new, empty one, both by descriptor; holes stay holes.

    Long stretches of zeros become holes, too. Raises OSError.
    """
    size_bytes = os.fstat(source).st_size
    for offset, piece, is_data in pieces(source, size_bytes):
        if is_data and piece != _ZEROS[:len(piece)]:
            os.pwrite(target, piece, offset)
    os.ftruncate(target, size_bytes)
