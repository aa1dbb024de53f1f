"""A GPT read from the disk itself: both headers and tables, and their checksums (UEFI 5.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_SIGNATURE = b"EFI PART"
_TABLE_BYTES_MAX = 1 << 20

ReadAt = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Header:
    """One header and the table that it names. sound: None, or what is wrong with it."""

    lba: int
    other_lba: int
    table_lba: int
    disk_guid: bytes
    table: bytes
    fault: str | None


def header_at(read: ReadAt, lba: int, sector_bytes: int = 512) -> Header:
    """Return the header in a sector; `fault` says why it is none."""
    block = read(lba * sector_bytes, sector_bytes)
    if len(block) < _HEADER.size or block[:8] != _SIGNATURE:
        return Header(lba, 0, 0, b"", b"", f"no GPT header in sector {lba}")
    (_, _, size, crc, _, mine, other, _, _, guid, table_lba, entries, entry_bytes,
     table_crc) = _HEADER.unpack_from(block)
    fault = None
    if not _HEADER.size <= size <= sector_bytes:
        fault = f"the header in sector {lba} claims {size} bytes"
    elif zlib.crc32(block[:16] + bytes(4) + block[20:size]) != crc:
        fault = f"the header in sector {lba} has a wrong checksum"
    elif mine != lba:
        fault = f"the header in sector {lba} says that it is in {mine}"
    table_bytes = entries * entry_bytes
    if fault is None and not 0 < table_bytes <= _TABLE_BYTES_MAX:
        fault = f"the table of sector {lba} claims {table_bytes} bytes"
    table = b"" if fault else read(table_lba * sector_bytes, table_bytes)
    if fault is None and zlib.crc32(table) != table_crc:
        fault = f"the table of the header in sector {lba} has a wrong checksum"
    return Header(lba, other, table_lba, guid, table, fault)
