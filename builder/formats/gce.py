"""gce: what Google Compute Engine imports, a sparse disk.raw in a gzipped tar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.archives import gnu_sparse
from builder.formats.disk_files.blocks import MIB, Disk, blocks, content, opened, runs
from builder.formats.streams import gzip_member
from builder.formats.streams.parallel import ordered
from host.errors import InputError
from host.progress import Progress

name = "gce"
title = "tar.gz with disk.raw: Google Compute Engine"
source = DISK
uses = ()

# The rules are Google's ("Manually import boot disks"): --format=oldgnu, sparse, one member of
# this name, whole GiB.
_MEMBER = "disk.raw"
_GIB = 1 << 30
_UNIT_BYTES = 64 << 10


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write the header with the map of what is not zeroes, and that, under gzip.

    Raises InputError for a disk that is not a whole number of GiB.
    """
    with opened(source) as disk, (folder / "gce.tar.gz").open("wb") as target:
        if disk.size_bytes % _GIB:
            raise InputError(
                "Google Compute Engine takes disks of whole GiB, this one has "
                f"{disk.size_bytes / _GIB:.2f}",
                remedy="let the partitions add up to whole GiB",
            )
        stretches = _stretches(disk, progress)
        header = gnu_sparse.header(_MEMBER, disk.size_bytes, stretches, about.epoch)
        length = len(header) + sum(end - start for start, end in stretches)
        parts = ordered(lambda part: _piece(disk, part), _parts(stretches, progress))
        gzip_member.write(target, _framed(header, parts, gnu_sparse.end(length)))


def _stretches(disk: Disk, progress: Progress) -> list[tuple[int, int]]:
    """Return (start, end) of the stretches of the disk that are not zeroes."""
    found: list[tuple[int, int]] = []
    for number, data in blocks(disk, MIB, progress, name):
        for start, end in runs(data, _UNIT_BYTES):
            if found and found[-1][1] == number * MIB + start:
                found[-1] = found[-1][0], number * MIB + end
            else:
                found.append((number * MIB + start, number * MIB + end))
    return found


def _parts(
    stretches: Sequence[tuple[int, int]], progress: Progress,
) -> Iterator[list[tuple[int, int]]]:
    """Yield the stretches in portions that are compressed at once, each as long as a piece."""
    total = sum(end - start for start, end in stretches)
    part: list[tuple[int, int]] = []
    room, done = gzip_member.PIECE_BYTES, 0
    for start, end in stretches:
        while start < end:
            taken = min(room, end - start)
            part.append((start, taken))
            start, room, done = start + taken, room - taken, done + taken
            if room == 0:
                progress.advance(name, 100 * done / total)
                yield part
                part, room = [], gzip_member.PIECE_BYTES
    if part:
        yield part


def _piece(disk: Disk, part: list[tuple[int, int]]) -> gzip_member.Piece:
    return gzip_member.piece(b"".join(
        content(disk, offset, length) or bytes(length) for offset, length in part))


def _framed(
    header: bytes, parts: Iterator[gzip_member.Piece], end: bytes,
) -> Iterator[gzip_member.Piece]:
    yield gzip_member.piece(header)
    yield from parts
    yield gzip_member.piece(end)


def identity() -> dict[str, str]:
    """Return the compressor's options and version."""
    return gzip_member.identity()
