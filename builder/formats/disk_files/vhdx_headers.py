"""The headers of a VHDX ([MS-VHDX], Virtual Hard Disk v2 File Format, version 8)."""

from __future__ import annotations

import struct
import uuid

from builder.formats.disk_files.blocks import MIB
from builder.formats.streams.checksums import crc32c

LOG_AT, METADATA_AT, TABLE_AT = MIB, 2 * MIB, 3 * MIB
LOG_BYTES = METADATA_BYTES = MIB

_KIB = 1 << 10
_LOGICAL_SECTOR_BYTES, _PHYSICAL_SECTOR_BYTES = 512, 4096
_TABLE_REGION = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
_METADATA_REGION = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_DISK_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_DISK_ID = uuid.UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
_LOGICAL_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PHYSICAL_SECTOR = uuid.UUID("cda348c7-445d-4471-9cc9-e9885251c556")
_REQUIRED, _OF_THE_DISK = 4, 2
_ITEMS_AT = 64 * _KIB


def headers(table_bytes: int, written: uuid.UUID) -> list[tuple[int, bytes]]:
    """Return what stands in the first MiB, each with its offset.

    table_bytes: the length of the block allocation table, in whole MiB. written: an id of this
    state of the file. Of each header there are two, of which the one with the higher number holds.
    The id of the log is zero: there is nothing to replay.
    """
    regions = struct.pack("<4sIII", b"regi", 0, 2, 0) + b"".join(
        struct.pack("<16sQII", which.bytes_le, offset, length, 1)
        for which, offset, length in (
            (_TABLE_REGION, TABLE_AT, table_bytes), (_METADATA_REGION, METADATA_AT, METADATA_BYTES),
        ))
    table = _checked(regions, 64 * _KIB)
    return [
        (0, b"vhdxfile" + "ccis".encode("utf-16-le")),
        (64 * _KIB, _header(1, written)), (128 * _KIB, _header(2, written)),
        (192 * _KIB, table), (256 * _KIB, table),
    ]


def metadata(size_bytes: int, block_bytes: int, disk: uuid.UUID) -> bytes:
    """Return the metadata region without its trailing zeroes. disk: what a guest sees as its id."""
    items = [
        (_FILE_PARAMETERS, _REQUIRED, struct.pack("<II", block_bytes, 0)),
        (_DISK_SIZE, _REQUIRED | _OF_THE_DISK, struct.pack("<Q", size_bytes)),
        (_DISK_ID, _REQUIRED | _OF_THE_DISK, disk.bytes_le),
        (_LOGICAL_SECTOR, _REQUIRED | _OF_THE_DISK, struct.pack("<I", _LOGICAL_SECTOR_BYTES)),
        (_PHYSICAL_SECTOR, _REQUIRED | _OF_THE_DISK, struct.pack("<I", _PHYSICAL_SECTOR_BYTES)),
    ]
    table, values = struct.pack("<8sHH20x", b"metadata", 0, len(items)), b""
    for which, flags, value in items:
        table += struct.pack("<16sIIII", which.bytes_le, _ITEMS_AT + len(values), len(value),
                             flags, 0)
        values += value
    return table.ljust(_ITEMS_AT, b"\0") + values


def chunk_ratio(block_bytes: int) -> int:
    """Return after how many blocks the table has an entry for a bitmap, which no disk uses here."""
    return (1 << 23) * _LOGICAL_SECTOR_BYTES // block_bytes


def _header(number: int, written: uuid.UUID) -> bytes:
    header = struct.pack(
        "<4sIQ16s16s16sHHIQ", b"head", 0, number, written.bytes_le, written.bytes_le, bytes(16),
        0, 1, LOG_BYTES, LOG_AT)
    return _checked(header, 4 * _KIB)


def _checked(header: bytes, length: int) -> bytes:
    """Return a header filled up to its length, with its CRC-32C behind the signature."""
    filled = header.ljust(length, b"\0")
    return filled[:4] + crc32c(filled).to_bytes(4, "little") + filled[8:]
