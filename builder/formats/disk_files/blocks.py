"""Reads a disk image block by block and writes blocks; neither holes nor zeroes cost anything.

Whether a block is there is decided by its content, not by the holes of the file: a copy of the
image with other holes gives the same artefact.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from host.progress import Progress

MIB = 1 << 20
PAGE_BYTES = 4096


@dataclass(frozen=True)
class Disk:
    """A raw disk image that is open for reading."""

    descriptor: int
    size_bytes: int


@contextmanager
def opened(path: Path) -> Iterator[Disk]:
    """Yield a raw disk image."""
    with path.open("rb", buffering=0) as stream:
        yield Disk(stream.fileno(), os.fstat(stream.fileno()).st_size)


def spans(disk: Disk, length: int, progress: Progress, step: str) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) from the disk's start to its end; only the last may be shorter.

    step: whose progress is shown, in percent.
    """
    for offset in range(0, disk.size_bytes, length):
        progress.advance(step, 100 * offset / disk.size_bytes)
        yield offset, min(length, disk.size_bytes - offset)


def used(disk: Disk, length: int, progress: Progress, step: str) -> Iterator[int]:
    """Yield the offsets of the blocks that are not wholly in a hole; some may hold zeroes only.

    step: whose progress is shown, in percent.
    """
    at = _next_data(disk, 0)
    while at is not None:
        start = at - at % length
        progress.advance(step, 100 * start / disk.size_bytes)
        yield start
        at = _next_data(disk, start + length)


def blocks(
    disk: Disk, length: int, progress: Progress, step: str,
) -> Iterator[tuple[int, bytearray]]:
    """Yield (number, content) of each block that is not all zeroes; the last is filled up."""
    for offset in used(disk, length, progress, step):
        data = content(disk, offset, length)
        if data is not None:
            yield offset // length, data


def content(disk: Disk, offset: int, length: int) -> bytearray | None:
    """Return the bytes of a block, None when all are zeroes; past the disk's end are zeroes.

    Raises OSError, also when the file is cut short meanwhile.
    """
    buffer, end = None, offset + length
    at = _next_data(disk, offset)
    while at is not None and at < end:
        hole = min(os.lseek(disk.descriptor, at, os.SEEK_HOLE), end)
        buffer = buffer or bytearray(length)
        _fill(disk, memoryview(buffer)[at - offset:hole - offset], at)
        at = _next_data(disk, hole)
    return None if buffer is None or is_zero(buffer) else buffer


def is_zero(data: bytes | bytearray, start: int = 0, length: int | None = None) -> bool:
    """Whether a part of the data is nothing but zeroes; ends at the first byte that is not."""
    return data.startswith(_zeroes(len(data) - start if length is None else length), start)


def runs(data: bytes | bytearray, unit: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the stretches of whole units that are not zeroes.

    Where they end is searched for, not looked up unit by unit: the search for so many zeroes
    leaps over what is none.
    """
    start, length = 0, len(data)
    while start < length:
        if is_zero(data, start, min(unit, length - start)):
            start += unit
            continue
        end = start + unit
        while end < length and not is_zero(data, end, unit):
            found = data.find(_zeroes(unit), end)
            end = length if found < 0 else -(-found // unit) * unit
        yield start, min(end, length)
        start = end


def put(descriptor: int, data: bytes | bytearray, offset: int) -> None:
    """Write data at an offset, without its pages of zeroes: the file must have a hole there."""
    view = memoryview(data)
    for start, end in runs(data, PAGE_BYTES):
        write_all(descriptor, view[start:end], offset + start)


def write_all(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of the data at an offset; pwrite(2) may take less than it was given."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


def _fill(disk: Disk, view: memoryview, offset: int) -> None:
    while view:
        done = os.preadv(disk.descriptor, [view], offset)
        if done == 0:
            raise OSError(errno.EIO, "the disk image was cut short while it was read")
        view, offset = view[done:], offset + done


def _next_data(disk: Disk, at: int) -> int | None:
    if at >= disk.size_bytes:
        return None
    try:
        return os.lseek(disk.descriptor, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # no data from here to the end
            raise
        return None


@lru_cache(maxsize=32)
def _zeroes(length: int) -> bytes:
    return bytes(length)
