"""One .xz stream (format version 1.1.0) of blocks that are compressed at once.

As `xz -T` writes it: each block's header tells its sizes, so that `xz -d -T0` can unpack the blocks
at once, too, which a plain stream of liblzma does not let it. Zeroes are compressed once for each
length.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import lzma
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import BinaryIO

BLOCK_BYTES = 24 << 20
"""Three times the dictionary of preset 6, as xz itself has it."""

MEMORY_BYTES = 160 << 20
"""What compressing one block takes (xz(1): 94 MiB for preset 6), with its input and output."""

_PRESET = 6
_STREAM_HEADER_BYTES = _FOOTER_BYTES = 12
_BOTH_SIZES = 0xC0
_FILTER_BYTES = 3  # LZMA2, one byte of properties, the size of the dictionary


@dataclass(frozen=True)
class Block:
    """A compressed block as it stands in the stream, and what the index says of it."""

    data: bytes
    unpadded_bytes: int
    length: int


def block(data: bytes | bytearray) -> Block:
    """Compress a block, which must not be empty; several threads may do so at once.

    liblzma makes a stream of one block; of it, the block is taken, with a header that tells sizes.
    """
    stream = lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, preset=_PRESET)
    index_bytes = (int.from_bytes(stream[-8:-4], "little") + 1) * 4
    index_at = len(stream) - _FOOTER_BYTES - index_bytes
    body = stream[_STREAM_HEADER_BYTES:index_at]
    unpadded, _ = _number(stream, index_at + 2)  # behind the indicator, and "one record"
    header_bytes = (body[0] + 1) * 4
    packed_bytes = unpadded - header_bytes - 8  # CRC-64
    filters = body[2:2 + _FILTER_BYTES]
    header = _sealed(bytes([_BOTH_SIZES]) + _packed(packed_bytes) + _packed(len(data)) + filters)
    return Block(header + body[header_bytes:], unpadded - header_bytes + len(header), len(data))


@lru_cache(maxsize=4)
def zeroes(length: int) -> Block:
    """Return a block of zeroes."""
    return block(bytes(length))


def write(target: BinaryIO, blocks: Iterable[Block]) -> None:
    """Write the stream."""
    flags = b"\0" + bytes([lzma.CHECK_CRC64])
    target.write(b"\xfd7zXZ\0" + flags + _crc32(flags))
    records: list[bytes] = []
    for each in blocks:
        target.write(each.data)
        records.append(_packed(each.unpadded_bytes) + _packed(each.length))
    listing = b"\0" + _packed(len(records)) + b"".join(records)
    listing += bytes(-len(listing) % 4)
    index = listing + _crc32(listing)
    tail = (len(index) // 4 - 1).to_bytes(4, "little") + flags
    target.write(index + _crc32(tail) + tail + b"YZ")


def _sealed(content: bytes) -> bytes:
    """Return a block header: its size in words, less one, in front; padding and CRC-32 behind."""
    length = -(-(1 + len(content)) // 4) * 4
    header = (bytes([length // 4]) + content).ljust(length, b"\0")
    return header + _crc32(header)


def _crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _packed(number: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups[-1] |= 0x80
        groups.append(number & 0x7F)
    return bytes(groups)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at an offset, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


@cache
def identity() -> dict[str, str]:
    """Return the compressor's options and its version, which Python's lzma does not tell."""
    library = ctypes.CDLL(ctypes.util.find_library("lzma") or "liblzma.so.5")
    library.lzma_version_string.restype = ctypes.c_char_p
    version = library.lzma_version_string().decode("ascii")
    return {"liblzma": version, "preset": str(_PRESET), "block": str(BLOCK_BYTES)}
