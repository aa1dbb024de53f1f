"""Turns zeroes that were written into holes, so that an image takes no more than its content."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_PAGE_BYTES = 4096
_CHUNK = bytes(1 << 20)


def punch_zeroes(path: Path, start_bytes: int = 0, size_bytes: int | None = None) -> None:
    """Punch out each run of zeroed pages of a file, or of a range of it (start page-aligned).

    (fallocate --dig-holes of util-linux 2.38 leaves out zeroes that are still in the page cache
    only.) A file system without holes is left as it is.
    """
    descriptor = os.open(path, os.O_RDWR)
    try:
        end_bytes = os.fstat(descriptor).st_size
        if size_bytes is not None:
            end_bytes = min(end_bytes, start_bytes + size_bytes)
        for first, last in _zero_runs(descriptor, start_bytes, end_bytes):
            if not _punch(descriptor, first, last - first):
                return
    finally:
        os.close(descriptor)


def _zero_runs(descriptor: int, start_bytes: int, end_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield first and end offset of each run of zeroes: written, reserved or holes already."""
    offset = start_bytes
    while offset < end_bytes:
        data = _next_data(descriptor, offset, end_bytes)
        if data > offset:  # blocks that are reserved but unwritten, or nothing at all
            yield offset, data
        offset = data
        if offset == end_bytes:
            return
        hole = min(os.lseek(descriptor, offset, os.SEEK_HOLE), end_bytes)
        run_start: int | None = None
        while offset < hole:
            size = min(len(_CHUNK), hole - offset)
            for page, zero in _pages(os.pread(descriptor, size, offset)):
                if zero and run_start is None:
                    run_start = offset + page
                elif not zero and run_start is not None:
                    yield run_start, offset + page
                    run_start = None
            offset += size
        if run_start is not None:
            yield run_start, hole


def _next_data(descriptor: int, offset: int, end_bytes: int) -> int:
    try:
        return min(os.lseek(descriptor, offset, os.SEEK_DATA), end_bytes)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no data behind this offset
            return end_bytes
        raise


def _pages(chunk: bytes) -> Iterator[tuple[int, bool]]:
    """Yield the offsets where a chunk's pages change between zeroes and content."""
    if chunk == _CHUNK[:len(chunk)]:
        yield 0, True
        return
    for page in range(0, len(chunk), _PAGE_BYTES):
        piece = chunk[page:page + _PAGE_BYTES]
        yield page, piece == _CHUNK[:len(piece)]


def _punch(descriptor: int, offset: int, size: int) -> bool:
    status = _libc.fallocate(
        descriptor, _PUNCH_HOLE | _KEEP_SIZE, ctypes.c_int64(offset), ctypes.c_int64(size),
    )
    if status == 0:
        return True
    code = ctypes.get_errno()
    if code == errno.EOPNOTSUPP:
        return False
    raise OSError(code, os.strerror(code))


def xfs_log_range(path: Path, start_bytes: int) -> tuple[int, int]:
    """Return where the log of the xfs at `start_bytes` of an image begins, and its size, in bytes.

    The offsets are those of struct xfs_dsb (xfs_format.h).
    """
    with path.open("rb") as stream:
        stream.seek(start_bytes)
        superblock = stream.read(512)

    def number(offset: int, size: int) -> int:
        return int.from_bytes(superblock[offset:offset + size], "big")

    block_bytes, log_start, log_blocks = number(4, 4), number(48, 8), number(96, 4)
    group_blocks, group_bits = number(84, 4), number(124, 1)
    group, block = log_start >> group_bits, log_start & ((1 << group_bits) - 1)
    return start_bytes + (group * group_blocks + block) * block_bytes, log_blocks * block_bytes
