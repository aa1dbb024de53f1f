"""vhd-dynamic: a VHD that holds the blocks in use only, for XenServer, CloudStack and Hyper-V."""

from __future__ import annotations

import struct
from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files import vhd as layout
from builder.formats.disk_files.blocks import MIB, PAGE_BYTES, blocks, opened, put, write_all
from builder.formats.disk_files.identity import Identity
from host.progress import Progress

name = "vhd-dynamic"
title = "dynamic VHD: XenServer and XCP-ng, CloudStack on Xen, Hyper-V"
source = DISK
uses = ()

_BLOCK_BYTES = 2 * MIB
_HEADER_BYTES = 1024
_TABLE_AT = layout.SECTOR_BYTES + _HEADER_BYTES
_UNUSED = 0xFFFFFFFF
_HEADER = struct.Struct(">8sQQIII")
_CHECKSUM_AT = 36


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write footer, header, block table, the blocks that are not zeroes, and the footer again."""
    with opened(source) as disk, (folder / "dynamic.vhd").open("wb", buffering=0) as target:
        layout.check_size(disk.size_bytes)
        ids = Identity(name, disk.size_bytes, about.epoch)
        table = [_UNUSED] * -(-disk.size_bytes // _BLOCK_BYTES)
        end = _TABLE_AT + _sectors_up(4 * len(table))
        for number, data in blocks(disk, _BLOCK_BYTES, progress, name):
            ids.see(number, data)
            # A block starts with a sector of bits that say which sectors are there; it is put
            # before a page, so that the pages of the disk are pages of the file.
            bits = -(-(end + layout.SECTOR_BYTES) // PAGE_BYTES) * PAGE_BYTES - layout.SECTOR_BYTES
            table[number] = bits // layout.SECTOR_BYTES
            write_all(target.fileno(), b"\xff" * layout.SECTOR_BYTES, bits)
            put(target.fileno(), data, bits + layout.SECTOR_BYTES)
            end = bits + layout.SECTOR_BYTES + _BLOCK_BYTES
        footer = layout.footer(
            layout.DYNAMIC, disk.size_bytes, about.epoch, ids.uuid("disk"))
        write_all(target.fileno(), footer + _header(len(table)) + _packed(table), 0)
        write_all(target.fileno(), footer, end)


def _header(entries: int) -> bytes:
    """Return the "dynamic disk header": no parent, the table at once behind it."""
    header = _HEADER.pack(
        b"cxsparse", layout.NO_OFFSET, _TABLE_AT, 0x00010000, entries, _BLOCK_BYTES)
    return layout.with_checksum(header.ljust(_HEADER_BYTES, b"\0"), _CHECKSUM_AT)


def _packed(table: list[int]) -> bytes:
    return struct.pack(f">{len(table)}I", *table).ljust(_sectors_up(4 * len(table)), b"\xff")


def _sectors_up(length: int) -> int:
    return -(-length // layout.SECTOR_BYTES) * layout.SECTOR_BYTES


def identity() -> dict[str, str]:
    """Return nothing: all that shapes it is written here."""
    return {}
