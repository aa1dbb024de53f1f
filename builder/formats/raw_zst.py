"""raw-zst: the disk under Zstandard, quick to write and to unpack."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import zstandard

from builder.artefact import DISK, About
from builder.formats.disk_files.blocks import MIB, Disk, content, opened, spans
from builder.formats.streams.parallel import ordered
from host.progress import Progress

name = "raw-zst"
title = "the disk, Zstandard: quick to write and to unpack"
source = DISK
uses = ()

_LEVEL = 10
_FRAME_BYTES = 16 * MIB


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Compress the disk on all processors, a frame for every 16 MiB.

    Frames follow one another in a .zst file (RFC 8878, section 3.1); each tells its length and has
    its checksum, as the command zstd writes them. Zeroes are compressed but once.
    """
    with opened(source) as disk, (folder / "raw.zst").open("wb") as target:
        for frame in ordered(lambda span: _frame(disk, *span),
                             spans(disk, _FRAME_BYTES, progress, name)):
            target.write(frame)


def _frame(disk: Disk, offset: int, length: int) -> bytes:
    data = content(disk, offset, length)
    return _zeroes(length) if data is None else _compressed(data)


def _compressed(data: bytes | bytearray) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data)


@lru_cache(maxsize=4)
def _zeroes(length: int) -> bytes:
    return _compressed(bytes(length))


def identity() -> dict[str, str]:
    """Return the compressor's options and version."""
    version = ".".join(str(part) for part in zstandard.ZSTD_VERSION)
    return {"zstd": version, "level": str(_LEVEL), "frame": str(_FRAME_BYTES)}
