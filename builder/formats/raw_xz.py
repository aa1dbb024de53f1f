"""raw-xz: the disk under xz, the smallest download; EC2 images are published so."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files.blocks import Disk, content, opened, spans
from builder.formats.streams import xz_stream
from builder.formats.streams.parallel import ordered
from host.progress import Progress

name = "raw-xz"
title = "the disk, xz: the smallest download; EC2"
source = DISK
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Compress the disk on all processors; holes are not read, zeroes compressed but once."""
    with opened(source) as disk, (folder / "raw.xz").open("wb") as target:
        xz_stream.write(target, ordered(
            lambda span: _block(disk, *span),
            spans(disk, xz_stream.BLOCK_BYTES, progress, name),
            memory_bytes=xz_stream.MEMORY_BYTES))


def _block(disk: Disk, offset: int, length: int) -> xz_stream.Block:
    data = content(disk, offset, length)
    return xz_stream.zeroes(length) if data is None else xz_stream.block(data)


def identity() -> dict[str, str]:
    """Return the compressor's options and version."""
    return xz_stream.identity()
