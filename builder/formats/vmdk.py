"""vmdk: stream-optimised, compressed and written in one go, as VMware and VirtualBox import it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from builder.artefact import DISK, About
from builder.formats.disk_files import vmdk as layout
from builder.formats.disk_files.blocks import MIB, Disk, content, is_zero, opened, used, write_all
from builder.formats.disk_files.identity import Identity
from builder.formats.streams.parallel import ordered
from host.progress import Progress

name = "vmdk"
title = "stream-optimised VMDK: vSphere, VirtualBox, EC2's import, OVA"
source = DISK
uses = ()

_LEVEL = 6
_TABLE, _DIRECTORY, _FOOTER = 1, 2, 3
_BATCH_BYTES = 2 * MIB
_DATA_AT = 128


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Compress each grain that is not zeroes; each table follows its grains, all else the last.

    qemu-img compresses one grain at a time, and puts the tables in front, with no footer: that is
    not the stream which the specification describes.
    """
    with opened(source) as disk, (folder / "vmdk").open("wb") as target:
        ids = Identity(name, disk.size_bytes, about.epoch)
        target.write(bytes(_DATA_AT * layout.SECTOR_BYTES))
        directory = [0] * layout.directory_entries(disk.size_bytes)
        table: dict[int, int] = {}
        current = 0
        batches = used(disk, _BATCH_BYTES, progress, name)
        for grains in ordered(lambda offset: _compressed(disk, offset), batches):
            for number, packed in grains:
                if table and number // layout.ENTRIES_PER_TABLE != current:
                    directory[current] = _write_table(target, table)
                    table = {}
                current = number // layout.ENTRIES_PER_TABLE
                ids.see(number, packed)
                sector = number * (layout.GRAIN_BYTES // layout.SECTOR_BYTES)
                table[number % layout.ENTRIES_PER_TABLE] = _append(
                    target, struct.pack("<QI", sector, len(packed)) + packed)
        if table:
            directory[current] = _write_table(target, table)
        at = _write_marked(target, _DIRECTORY, struct.pack(f"<{len(directory)}I", *directory))
        _write_marked(target, _FOOTER, layout.stream_header(disk.size_bytes, at, _DATA_AT))
        _append(target, bytes(layout.SECTOR_BYTES))
        target.flush()
        write_all(target.fileno(), layout.stream_header(
            disk.size_bytes, layout.AT_THE_END, _DATA_AT,
        ) + layout.descriptor("streamOptimized", disk.size_bytes, ids.number("content"),
                              ids.uuid("content").hex), 0)


def _compressed(disk: Disk, offset: int) -> list[tuple[int, bytes]]:
    """Return (number, compressed) for each grain of a batch that is not all zeroes."""
    data = content(disk, offset, _BATCH_BYTES)
    if data is None:
        return []
    return [
        ((offset + at) // layout.GRAIN_BYTES,
         zlib.compress(memoryview(data)[at:at + layout.GRAIN_BYTES], _LEVEL))
        for at in range(0, len(data), layout.GRAIN_BYTES)
        if not is_zero(data, at, layout.GRAIN_BYTES)
    ]


def _append(target: BinaryIO, data: bytes) -> int:
    """Append whole sectors and return the first one's number."""
    at = target.tell()
    target.write(data.ljust(-(-len(data) // layout.SECTOR_BYTES) * layout.SECTOR_BYTES, b"\0"))
    return at // layout.SECTOR_BYTES


def _write_marked(target: BinaryIO, kind: int, data: bytes) -> int:
    """Append a marker that says what follows, and what follows; return the latter's sector."""
    sectors = -(-len(data) // layout.SECTOR_BYTES)
    _append(target, struct.pack("<QII", sectors, 0, kind))
    return _append(target, data)


def _write_table(target: BinaryIO, table: dict[int, int]) -> int:
    entries = [table.get(number, 0) for number in range(layout.ENTRIES_PER_TABLE)]
    return _write_marked(target, _TABLE, struct.pack(f"<{len(entries)}I", *entries))


def identity() -> dict[str, str]:
    """Return the version of the compressor."""
    return {"zlib": zlib.ZLIB_RUNTIME_VERSION, "level": str(_LEVEL)}
