"""Where two files differ first; holes of disk images are not read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_PIECE_BYTES = 1 << 20


def first_difference(one: Path, other: Path, start: int = 0, end: int | None = None) -> int | None:
    """Return the offset of the first byte that differs, None when there is none.

    start, end: the range to be compared, in bytes; the end of the longer file without `end`. A
    file that ends before the other differs from it there. Raises OSError.
    """
    first = os.open(one, os.O_RDONLY | os.O_CLOEXEC)
    try:
        second = os.open(other, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _first_difference(first, second, start, end)
        finally:
            os.close(second)
    finally:
        os.close(first)


def _first_difference(one: int, other: int, start: int, end: int | None) -> int | None:
    sizes = os.fstat(one).st_size, os.fstat(other).st_size
    both = min(*sizes) if end is None else min(*sizes, end)
    at = start
    while (at := min(_next_data(one, at, both), _next_data(other, at, both))) < both:
        length = min(_PIECE_BYTES, both - at)
        left, right = os.pread(one, length, at), os.pread(other, length, at)
        if left != right:
            pairs = enumerate(zip(left, right, strict=False))
            return at + next((place for place, (a, b) in pairs if a != b),
                             min(len(left), len(right)))
        at += length
    longest = max(sizes) if end is None else min(max(sizes), end)
    return both if both < longest and start < longest else None


def _next_data(descriptor: int, at: int, end: int) -> int:
    """Return where the next data begins from `at` on, `end` when there is none before it."""
    if at >= end:
        return end
    try:
        return min(os.lseek(descriptor, at, os.SEEK_DATA), end)
    except OSError as error:
        if error.errno != errno.ENXIO:  # nothing but a hole up to the end of the file
            raise
        return end
