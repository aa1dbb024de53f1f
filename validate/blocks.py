"""Bytes of the disk inside a raw or qcow2 file, read here: no program opens the image for it.

Layout of qcow2: QEMU, docs/interop/qcow2.txt. Each place is checked against the file's length, and
a cluster unpacks to one cluster at most: a hostile image gives wrong bytes, which are its own.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import zstandard

from host.errors import InputError
from validate.artefact import ArtefactFacts

ReadAt = Callable[[int, int], bytes]
"""Takes a place on the disk and a number of bytes; behind the end there are none."""

_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ZERO = 1
_ZSTD = 1
_CACHE = 64


@contextmanager
def opened(facts: ArtefactFacts) -> Iterator[ReadAt]:
    """Yield the way to read the disk of an artefact.

    Raises InputError for an artefact that names other files; so does reading from a broken qcow2.
    """
    if not facts.self_contained:
        raise InputError("names other files, so it is not opened", where=str(facts.path))
    descriptor = os.open(facts.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if facts.format == "raw":
            yield lambda at, count: _pread(descriptor, count, at)
        else:
            yield _qcow2(descriptor)
    finally:
        os.close(descriptor)


def _pread(descriptor: int, count: int, at: int) -> bytes:
    found = b""
    while len(found) < count:
        part = os.pread(descriptor, count - len(found), at + len(found))
        if not part:
            break
        found += part
    return found


def _qcow2(descriptor: int) -> ReadAt:
    head = os.pread(descriptor, 512, 0)
    cluster_bits = int.from_bytes(head[20:24], "big")
    virtual_bytes, l1_entries, l1_at = (
        int.from_bytes(head[24:32], "big"), int.from_bytes(head[36:40], "big"),
        int.from_bytes(head[40:48], "big"))
    version = int.from_bytes(head[4:8], "big")
    features = int.from_bytes(head[72:80], "big") if version >= 3 else 0
    header_bytes = int.from_bytes(head[100:104], "big") if version >= 3 else 72
    if features & (1 << 4):
        raise InputError("has extended L2 entries, which nothing of ours makes")
    method = head[104] if features & (1 << 3) and header_bytes > 104 else 0
    cluster_bytes = 1 << cluster_bits
    per_table = cluster_bytes // 8
    l1 = _table(os.pread(descriptor, l1_entries * 8, l1_at))

    @lru_cache(maxsize=_CACHE)
    def l2(number: int) -> tuple[int, ...]:
        at = l1[number] & _OFFSET if number < len(l1) else 0
        return _table(os.pread(descriptor, cluster_bytes, at)) if at else ()

    @lru_cache(maxsize=_CACHE)
    def cluster(number: int) -> bytes:
        entries = l2(number // per_table)
        place = number % per_table
        entry = entries[place] if place < len(entries) else 0
        if entry & _COMPRESSED:
            return _unpacked(descriptor, entry, cluster_bits, method)
        if entry & _ZERO or not entry & _OFFSET:
            return bytes(cluster_bytes)
        return os.pread(descriptor, cluster_bytes, entry & _OFFSET).ljust(cluster_bytes, b"\0")

    def read(at: int, count: int) -> bytes:
        count = max(0, min(count, virtual_bytes - at))
        pieces, left = [], count
        while left:
            inside = at % cluster_bytes
            piece = cluster(at // cluster_bytes)[inside:inside + left]
            pieces.append(piece)
            at, left = at + len(piece), left - len(piece)
        return b"".join(pieces)

    return read


def _table(content: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(content) // 8}Q", content[:len(content) // 8 * 8])


def _unpacked(descriptor: int, entry: int, cluster_bits: int, method: int) -> bytes:
    """Return a compressed cluster, unpacked to one cluster's length at most."""
    shift = 62 - (cluster_bits - 8)
    at = entry & ((1 << shift) - 1)
    sectors = (entry >> shift & ((1 << (cluster_bits - 8)) - 1)) + 1
    packed = os.pread(descriptor, sectors * 512 - at % 512, at)
    size_bytes = 1 << cluster_bits
    try:
        if method == _ZSTD:
            reader = zstandard.ZstdDecompressor().stream_reader(packed)
            content = reader.read(size_bytes)
        else:
            content = zlib.decompressobj(wbits=-12).decompress(packed, size_bytes)
    except (zlib.error, zstandard.ZstdError) as error:
        raise InputError("has a compressed cluster that can't be unpacked", why=str(error)) \
            from error
    return bytes(content).ljust(size_bytes, b"\0")
