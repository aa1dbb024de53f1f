"""raw-gz: the disk under gzip, for whatever knows nothing newer."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files.blocks import Disk, content, opened, spans
from builder.formats.streams import gzip_member
from builder.formats.streams.parallel import ordered
from host.progress import Progress

name = "raw-gz"
title = "the disk, gzip: MAAS, bare-metal installers, whatever knows nothing newer"
source = DISK
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Compress the disk on all processors; holes are not read, zeroes compressed but once."""
    with opened(source) as disk, (folder / "raw.gz").open("wb") as target:
        gzip_member.write(target, ordered(
            lambda span: _piece(disk, *span),
            spans(disk, gzip_member.PIECE_BYTES, progress, name)))


def _piece(disk: Disk, offset: int, length: int) -> gzip_member.Piece:
    data = content(disk, offset, length)
    return gzip_member.zeroes(length) if data is None else gzip_member.piece(data)


def identity() -> dict[str, str]:
    """Return the compressor's options and version."""
    return gzip_member.identity()
