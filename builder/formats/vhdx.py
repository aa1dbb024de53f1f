"""vhdx: Hyper-V's disk, with the blocks in use only."""

from __future__ import annotations

import struct
from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files import vhdx_headers
from builder.formats.disk_files.blocks import MIB, blocks, opened, put
from builder.formats.disk_files.identity import Identity
from host.progress import Progress

name = "vhdx"
title = "VHDX: Hyper-V of both generations, Windows"
source = DISK
uses = ()

# With 1 MiB a disk with ext4 stays small, says Microsoft ("Best practices for running Linux on
# Hyper-V": New-VHD -BlockSizeBytes 1MB); Hyper-V's own 32 MiB make it several times as large.
_BLOCK_BYTES = MIB
_ZERO, _PRESENT = 2, 6
_OFFSET_SHIFT = 20


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write the headers, the block allocation table and the blocks that are not zeroes."""
    with opened(source) as disk, (folder / "vhdx").open("wb", buffering=0) as target:
        ids = Identity(name, disk.size_bytes, about.epoch)
        entries = [_ZERO] * -(-disk.size_bytes // _BLOCK_BYTES)
        table_bytes = -(-8 * len(_with_bitmaps(entries)) // MIB) * MIB
        end = vhdx_headers.TABLE_AT + table_bytes
        for number, data in blocks(disk, _BLOCK_BYTES, progress, name):
            ids.see(number, data)
            entries[number] = (end // MIB) << _OFFSET_SHIFT | _PRESENT
            put(target.fileno(), data, end)
            end += _BLOCK_BYTES
        target.truncate(end)
        table = _with_bitmaps(entries)
        for offset, header in (
            *vhdx_headers.headers(table_bytes, ids.uuid("written")),
            (vhdx_headers.METADATA_AT,
             vhdx_headers.metadata(disk.size_bytes, _BLOCK_BYTES, ids.uuid("disk"))),
            (vhdx_headers.TABLE_AT, struct.pack(f"<{len(table)}Q", *table)),
        ):
            put(target.fileno(), header, offset)


def _with_bitmaps(entries: list[int]) -> list[int]:
    """Return the table with the entries for bitmaps between its chunks; none is present."""
    ratio, table = vhdx_headers.chunk_ratio(_BLOCK_BYTES), []
    for start in range(0, len(entries), ratio):
        table += [*([0] if start else []), *entries[start:start + ratio]]
    return table


def identity() -> dict[str, str]:
    """Return nothing: all that shapes it is written here."""
    return {}
