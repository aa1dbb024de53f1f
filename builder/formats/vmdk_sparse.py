"""vmdk-sparse: a VMDK in one file that grows, for VMware Workstation, Fusion and Player."""

from __future__ import annotations

import struct
from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files import vmdk as layout
from builder.formats.disk_files.blocks import MIB, blocks, opened, put, runs, write_all
from builder.formats.disk_files.identity import Identity
from host.progress import Progress

name = "vmdk-sparse"
title = "monolithic sparse VMDK: VMware Workstation, Fusion and Player"
source = DISK
uses = ()

_TABLE_BYTES = layout.TABLE_SECTORS * layout.SECTOR_BYTES


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write header, descriptor, the tables twice, and the grains that are not zeroes."""
    with opened(source) as disk, (folder / "sparse.vmdk").open("wb", buffering=0) as target:
        ids = Identity(name, disk.size_bytes, about.epoch)
        tables = layout.directory_entries(disk.size_bytes)
        copy = layout.DESCRIPTOR_AT + layout.DESCRIPTOR_SECTORS
        directory_sectors = -(-4 * tables // layout.SECTOR_BYTES)
        directory = copy + directory_sectors + tables * layout.TABLE_SECTORS
        end = directory + directory_sectors + tables * layout.TABLE_SECTORS
        data = end = -(-end * layout.SECTOR_BYTES // layout.GRAIN_BYTES) * (
            layout.GRAIN_BYTES // layout.SECTOR_BYTES)
        entries = [0] * (tables * layout.ENTRIES_PER_TABLE)
        for number, block in blocks(disk, MIB, progress, name):
            ids.see(number, block)
            for start, stop in runs(block, layout.GRAIN_BYTES):
                put(target.fileno(), block[start:stop], end * layout.SECTOR_BYTES)
                for at in range(start, stop, layout.GRAIN_BYTES):
                    entries[(number * MIB + at) // layout.GRAIN_BYTES] = end
                    end += layout.GRAIN_BYTES // layout.SECTOR_BYTES
        target.truncate(end * layout.SECTOR_BYTES)
        header = layout.sparse_header(disk.size_bytes, copy, directory, data)
        text = layout.descriptor("monolithicSparse", disk.size_bytes, ids.number("content"),
                                 ids.uuid("content").hex)
        write_all(target.fileno(), header + text, 0)
        for at in (copy, directory):
            first = at + directory_sectors
            pointers = range(first, first + tables * layout.TABLE_SECTORS, layout.TABLE_SECTORS)
            write_all(target.fileno(), struct.pack(f"<{tables}I", *pointers),
                      at * layout.SECTOR_BYTES)
            put(target.fileno(), struct.pack(f"<{len(entries)}I", *entries),
                first * layout.SECTOR_BYTES)


def identity() -> dict[str, str]:
    """Return nothing: all that shapes it is written here."""
    return {}
