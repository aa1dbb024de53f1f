"""CRC-32C, and the CRC-32 of two pieces from the CRC-32 of each: Python's zlib has neither."""

from __future__ import annotations

from functools import lru_cache

_CRC32 = 0xEDB88320
_CRC32C = 0x82F63B78


def _table(polynomial: int) -> list[int]:
    values = list(range(256))
    for _ in range(8):
        values = [value >> 1 ^ (polynomial if value & 1 else 0) for value in values]
    return values


_TABLE = _table(_CRC32C)


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli, RFC 3720) of a few pages; slow for more."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def combined(first: int, second: int, second_length: int) -> int:
    """Return the CRC-32 of two pieces of which each one's CRC-32 is known.

    The first one's is moved on by as many zero bytes as the second has: a multiplication by a
    power of x (zlib's crc32_combine(), which Python does not offer).
    """
    return _product(_shift(second_length), first) ^ second


@lru_cache(maxsize=64)
def _shift(length: int) -> int:
    """Return x to the power of 8 · length, modulo the polynomial; the top bit is x to the 0."""
    result, square, exponent = 1 << 31, 1 << 30, 8 * length
    while exponent:
        if exponent & 1:
            result = _product(square, result)
        square, exponent = _product(square, square), exponent >> 1
    return result


def _product(one: int, other: int) -> int:
    result = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            result ^= other
        other = other >> 1 ^ (_CRC32 if other & 1 else 0)
    return result
