"""The footer of a VHD ("Virtual Hard Disk Image Format Specification", Microsoft, 2006)."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime

from host.errors import InputError

FIXED, DYNAMIC = 2, 3
SECTOR_BYTES = 512
_MAXIMUM_BYTES = 2040 << 30
NO_OFFSET = (1 << 64) - 1

_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
_CHECKSUM_AT = 64
_EPOCH_OF_VHD = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())

# Readers trust either the size in bytes or the geometry, by who made the file. For "qem2", and
# for the largest geometry there is, all take the size (QEMU's block/vpc.c tells why): so a disk is
# exactly as large as the raw image. `qemu-img -o force_size=on`, Azure's own advice, does the same.
_CREATOR, _CREATOR_VERSION, _CREATOR_HOST = b"qem2", 0x00050003, b"Wi2k"
_LARGEST_GEOMETRY = (65535, 16, 255)


def footer(kind: int, size_bytes: int, epoch: int, identity: uuid.UUID) -> bytes:
    """Return the 512 bytes that end a VHD; a dynamic one starts with them, too.

    kind: FIXED or DYNAMIC. size_bytes: of the disk. epoch: seconds since 1970.
    """
    return with_checksum(_FOOTER.pack(
        b"conectix", 2, 0x00010000, NO_OFFSET if kind == FIXED else SECTOR_BYTES,
        max(0, epoch - _EPOCH_OF_VHD), _CREATOR, _CREATOR_VERSION, _CREATOR_HOST,
        size_bytes, size_bytes, *_LARGEST_GEOMETRY, kind, 0, identity.bytes, 0,
    ).ljust(SECTOR_BYTES, b"\0"), _CHECKSUM_AT)


def with_checksum(header: bytes, at: int) -> bytes:
    """Return a header with its checksum at an offset: the complement of the sum of its bytes."""
    value = ~sum(header) & 0xFFFFFFFF
    return header[:at] + value.to_bytes(4, "big") + header[at + 4:]


def check_size(size_bytes: int) -> None:
    """Raise InputError for a disk that no VHD can hold."""
    if size_bytes > _MAXIMUM_BYTES:
        raise InputError(
            f"a VHD holds 2040 GiB at most, the disk has {size_bytes >> 30} GiB",
            remedy="make the disk smaller, or ask for vhdx",
        )
