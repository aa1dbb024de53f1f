"""The header of a qcow2, read without trusting it: does it name other files, is it whole?

Layout: QEMU, docs/interop/qcow2.txt.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from host.errors import InputError

MAGIC = b"QFI\xfb"

_VERSION_2, _VERSION_3 = struct.Struct(">4sIQIIQIIQQIIQ"), struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_DATA_FILE = 0x44415441
"""The extension that names an external data file."""
_EXTERNAL_DATA = 1 << 2
_KNOWN_FEATURES = (1 << 5) - 1
"""Dirty, corrupt, external data file, compression type, extended L2: all incompatible bits."""
_NAME_BYTES_MAX = 1023
_CLUSTER_BITS = range(9, 22)
_L1_BYTES_MAX = 32 << 20
"""What QEMU accepts (block/qcow2.h, QCOW_MAX_L1_SIZE)."""
_ENCRYPTED = {1: "AES", 2: "LUKS"}


@dataclass(frozen=True)
class Header:
    """What a qcow2 says of itself. backing_file, external_data: the other files that it needs."""

    virtual_size_bytes: int
    backing_file: str | None
    external_data: bool


def read_header(stream: BinaryIO, size_bytes: int) -> Header:
    """Return the header of a qcow2; nothing else is opened, and its first cluster is read.

    size_bytes: of the file; a place behind its end can't even be sought in every file system.
    Raises InputError when it is cut off, broken, of a kind that nobody knows, or encrypted.
    """
    stream.seek(0)
    head = stream.read(_VERSION_2.size + _VERSION_3.size)
    try:
        (_, version, backing_at, backing_bytes, cluster_bits, virtual, crypt, l1_entries, l1_at,
         *_) = _VERSION_2.unpack_from(head)
        features, _, _, _, header_bytes = (
            _VERSION_3.unpack_from(head, _VERSION_2.size) if version >= 3
            else (0, 0, 0, 0, _VERSION_2.size))
    except struct.error as error:
        raise InputError("is cut off in its qcow2 header") from error
    if version not in (2, 3) or cluster_bits not in _CLUSTER_BITS or virtual == 0:
        raise _broken(
            f"version {version}, cluster bits {cluster_bits}, virtual size {virtual}")
    cluster_bytes = 1 << cluster_bits
    if not _VERSION_2.size <= header_bytes <= cluster_bytes:
        raise _broken(f"a header of {header_bytes} bytes")
    if features & ~_KNOWN_FEATURES:
        raise _broken(f"features that nobody knows: {features & ~_KNOWN_FEATURES:#x}")
    if l1_entries * 8 > _L1_BYTES_MAX or l1_at % cluster_bytes or virtual >= 1 << 62:
        raise _broken(f"a table of {l1_entries} entries at {l1_at}, virtual size {virtual}")
    if crypt:
        kind = _ENCRYPTED.get(crypt, f"method {crypt}")
        raise InputError(
            "is encrypted as a qcow2, so that nobody can start or look into it as it is",
            why=f"its header says {kind}", remedy="decrypt it (qemu-img convert); a LUKS "
            "container inside the disk, on a partition, is fine",
        )
    named = _external(stream, header_bytes, min(backing_at or cluster_bytes, cluster_bytes))
    backing = None
    if backing_at:
        stream.seek(min(backing_at, size_bytes))
        backing = stream.read(min(backing_bytes, _NAME_BYTES_MAX)).decode(errors="replace")
    return Header(virtual, backing, named or bool(features & _EXTERNAL_DATA))


def _external(stream: BinaryIO, start: int, end: int) -> bool:
    """Tell whether a header extension names a data file; QEMU reads them up to `end`."""
    stream.seek(start)
    area = stream.read(max(end - start, 0))
    at = 0
    while at + _EXTENSION.size <= len(area):
        magic, length = _EXTENSION.unpack_from(area, at)
        if magic == 0:
            return False
        if magic == _DATA_FILE:
            return True
        at += _EXTENSION.size + -(-length // 8) * 8
        if at > len(area):
            raise _broken(f"an extension {magic:#x} of {length} bytes")
    return False


def _broken(why: str) -> InputError:
    return InputError("has a broken qcow2 header", why=why)


@dataclass(frozen=True)
class Features:
    """What a header says beside the disk's size."""

    version: int
    dirty: bool
    corrupt: bool
    compression: str
    snapshots: int
    bitmaps: bool


_BITMAPS = 0x23852875


def features(path: Path) -> Features:
    """Return the features in the header of a qcow2 that read_header() took."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    version = int.from_bytes(head[4:8], "big")
    bits = int.from_bytes(head[72:80], "big") if version >= 3 else 0
    length = int.from_bytes(head[100:104], "big") if version >= 3 else _VERSION_2.size
    method = head[104] if bits & (1 << 3) and length > 104 else 0
    at, bitmaps = length, False
    while at + _EXTENSION.size <= len(head):
        magic, size = _EXTENSION.unpack_from(head, at)
        if magic == 0:
            break
        bitmaps |= magic == _BITMAPS
        at += _EXTENSION.size + -(-size // 8) * 8
    return Features(version, bool(bits & 1), bool(bits & 2), "zstd" if method == 1 else "zlib",
                    int.from_bytes(head[60:64], "big"), bitmaps)
