"""Writes a compressed qcow2 of version 3 (QEMU's docs/interop/qcow2.txt) on all processors.

`qemu-img convert -c` is quick only when it may write clusters out of order (-W), so that each run
gives other bytes; in order it compresses one cluster after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from builder.formats.disk_files.blocks import MIB, Disk, content, is_zero, opened, used, write_all
from builder.formats.streams.parallel import ordered
from host.progress import Progress

ZLIB, ZSTD = 0, 1
CLUSTER_BYTES = 1 << 16

_CLUSTER_BITS = 16
_SECTOR_BYTES = 512
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQIIB7x")
_COMPRESSION_BIT = 1 << 3  # of the incompatible features: it is not zlib
_COPIED, _COMPRESSED = 1 << 63, 1 << 62
_SECTORS_SHIFT = 62 - (_CLUSTER_BITS - 8)
_REFERENCE_BITS_LOG = 4
_REFERENCES_PER_BLOCK = CLUSTER_BYTES // 2
_ENTRIES = CLUSTER_BYTES // 8
_BATCH_BYTES = 2 * MIB


class _File:
    """Gives out room in the file and counts who refers to each of its clusters."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.references = [1]  # the header's cluster
        self._room = self._room_end = 0

    @property
    def end(self) -> int:
        return len(self.references) * CLUSTER_BYTES

    def clusters(self, data: bytes | bytearray | memoryview) -> int:
        """Write data into clusters of its own and return its offset."""
        offset, count = self.end, -(-len(data) // CLUSTER_BYTES)
        self.references += [1] * count
        write_all(self.descriptor, data, offset)
        return offset

    def compressed(self, data: bytes) -> int:
        """Pack data behind what was compressed before and return its entry in the table.

        It may go on into the next cluster, and refers to all that its sectors lie in.
        """
        if self._room + len(data) > self._room_end:
            if self._room_end != self.end:
                self._room = self.end
            self.references.append(0)
            self._room_end = self.end
        offset, self._room = self._room, self._room + len(data)
        write_all(self.descriptor, data, offset)
        last = (self._room - 1) // _SECTOR_BYTES
        first_cluster, last_cluster = offset // CLUSTER_BYTES, last * _SECTOR_BYTES // CLUSTER_BYTES
        for cluster in range(first_cluster, last_cluster + 1):
            self.references[cluster] += 1
        more = last - offset // _SECTOR_BYTES
        return _COMPRESSED | more << _SECTORS_SHIFT | offset


def write(
    source: Path, target: Path, compression: int, compress: Callable[[bytearray], bytes],
    progress: Progress, step: str,
) -> None:
    """Write the disk; clusters of zeroes take no room.

    compression: ZLIB or ZSTD, as the header says it; `compress` does it to one cluster, and
    several threads may call it at once. What does not get smaller is stored as it is.
    step: whose progress is shown.
    """
    with opened(source) as disk, target.open("wb", buffering=0) as stream:
        file = _File(stream.fileno())
        # Tables are few; they follow the data, so that nothing of the file is written twice.
        tables: dict[int, list[int]] = {}
        batches = used(disk, _BATCH_BYTES, progress, step)
        for clusters in ordered(lambda offset: _batch(disk, offset, compress), batches):
            for number, plain, packed in clusters:
                table = tables.setdefault(number // _ENTRIES, [0] * _ENTRIES)
                table[number % _ENTRIES] = (
                    file.clusters(plain) | _COPIED if packed is None else file.compressed(packed))
        _finish(file, tables, disk.size_bytes, compression)
        stream.truncate(file.end)


def _batch(
    disk: Disk, offset: int, compress: Callable[[bytearray], bytes],
) -> list[tuple[int, bytearray, bytes | None]]:
    """Return (number, content, compressed or None) of a batch's clusters that are not zeroes."""
    data = content(disk, offset, _BATCH_BYTES)
    found: list[tuple[int, bytearray, bytes | None]] = []
    for at in range(0, len(data or b""), CLUSTER_BYTES):
        assert data is not None
        if not is_zero(data, at, CLUSTER_BYTES):
            plain = data[at:at + CLUSTER_BYTES]
            packed = compress(plain)
            smaller = len(packed) < CLUSTER_BYTES
            found.append(((offset + at) // CLUSTER_BYTES, plain, packed if smaller else None))
    return found


def _finish(
    file: _File, tables: dict[int, list[int]], size_bytes: int, compression: int,
) -> None:
    """Write the tables of two levels, the reference counts, and the header that leads to them."""
    directory = [0] * -(-size_bytes // (_ENTRIES * CLUSTER_BYTES))
    for number, table in tables.items():
        directory[number] = file.clusters(_packed("Q", table)) | _COPIED
    directory_at = file.clusters(_packed("Q", directory))
    # The counts count themselves.
    blocks = table_clusters = 1
    while True:
        total = len(file.references) + blocks + table_clusters
        needed = -(-total // _REFERENCES_PER_BLOCK)
        if needed == blocks and -(-needed // _ENTRIES) == table_clusters:
            break
        blocks, table_clusters = needed, -(-needed // _ENTRIES)
    blocks_at = file.end
    counts = file.references + [1] * (blocks + table_clusters)
    file.clusters(_packed("H", counts))
    counts_at = file.clusters(_packed("Q", range(
        blocks_at, blocks_at + blocks * CLUSTER_BYTES, CLUSTER_BYTES)))
    header = _HEADER.pack(
        b"QFI\xfb", 3, 0, 0, _CLUSTER_BITS, size_bytes, 0, len(directory), directory_at,
        counts_at, table_clusters, 0, 0, 0 if compression == ZLIB else _COMPRESSION_BIT, 0, 0,
        _REFERENCE_BITS_LOG, _HEADER.size, compression)
    write_all(file.descriptor, header, 0)


def _packed(kind: str, numbers: list[int] | range) -> bytes:
    """Return big-endian numbers, filled up to whole clusters."""
    data = struct.pack(f">{len(numbers)}{kind}", *numbers)
    return data.ljust(-(-len(data) // CLUSTER_BYTES) * CLUSTER_BYTES, b"\0")
