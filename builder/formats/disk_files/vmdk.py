"""Header and descriptor of a VMDK that is one file ("Virtual Disk Format 5.0", VMware, 2011)."""

from __future__ import annotations

import struct

SECTOR_BYTES = 512
GRAIN_BYTES = 128 * SECTOR_BYTES
ENTRIES_PER_TABLE = 512
TABLE_SECTORS = ENTRIES_PER_TABLE * 4 // SECTOR_BYTES
DESCRIPTOR_AT, DESCRIPTOR_SECTORS = 1, 20
AT_THE_END = (1 << 64) - 1
"""In place of the directory's offset: the footer, a second header at the end, tells it."""

_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_NEWLINE_TEST, _REDUNDANT_TABLE, _COMPRESSED, _MARKERS = 1, 2, 1 << 16, 1 << 17
_DEFLATE = 1

# The extent's name is not read where descriptor and data are one file: it may be published under
# any name. lsilogic, because no SCSI controller of VMware takes a disk that says "ide"; the version
# of the tools is the one of open-vm-tools, which VMware does not manage.
_DESCRIPTOR = """\
# Disk DescriptorFile
version=1
CID={content_id:08x}
parentCID=ffffffff
createType="{kind}"

# Extent description
RW {sectors} SPARSE "disk.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "{cylinders}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.longContentID = "{long_content_id}"
ddb.toolsVersion = "2147483647"
ddb.virtualHWVersion = "8"
"""


def directory_entries(size_bytes: int) -> int:
    """Return how many grain tables a disk has."""
    return -(-size_bytes // (GRAIN_BYTES * ENTRIES_PER_TABLE))


def sparse_header(size_bytes: int, copy: int, directory: int, data: int) -> bytes:
    """Return the header of a monolithic sparse disk.

    copy, directory: sectors of the redundant grain directory and of the first one. data: where
    the grains begin.
    """
    return _header(1, _NEWLINE_TEST | _REDUNDANT_TABLE, size_bytes, copy, directory, data, 0)


def stream_header(size_bytes: int, directory: int, data: int) -> bytes:
    """Return the header of a stream-optimised disk; directory: its sector, or AT_THE_END."""
    flags = _NEWLINE_TEST | _COMPRESSED | _MARKERS
    return _header(3, flags, size_bytes, 0, directory, data, _DEFLATE)


def descriptor(kind: str, size_bytes: int, content_id: int, long_content_id: str) -> bytes:
    """Return the text that stands behind the header, filled up.

    kind: monolithicSparse or streamOptimized. content_id: 32 bits; long_content_id: 128 bits in
    hexadecimal, of which VMware has the last 32 be the content's id.
    """
    sectors = -(-size_bytes // SECTOR_BYTES)
    text = _DESCRIPTOR.format(
        kind=kind, sectors=sectors, content_id=content_id, cylinders=sectors // (255 * 63),
        long_content_id=f"{long_content_id[:24]}{content_id:08x}",
    )
    return text.encode("ascii").ljust(DESCRIPTOR_SECTORS * SECTOR_BYTES, b"\0")


def _header(
    version: int, flags: int, size_bytes: int, copy: int, directory: int, data: int,
    compression: int,
) -> bytes:
    # Disks are whole grains; the last one may be longer than what the descriptor says.
    return _HEADER.pack(
        b"KDMV", version, flags, -(-size_bytes // SECTOR_BYTES), GRAIN_BYTES // SECTOR_BYTES,
        DESCRIPTOR_AT, DESCRIPTOR_SECTORS, ENTRIES_PER_TABLE, copy, directory, data, 0,
        b"\n \r\n", compression,
    ).ljust(SECTOR_BYTES, b"\0")
