"""The RPM header structure: tagged values packed into an index and a data area."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

MAGIC = b"\x8e\xad\xe8\x01\x00\x00\x00\x00"
# Types of values (rpm's include/rpm/rpmtypes.h).
INT16, INT32, INT64, STRING, BINARY, STRING_ARRAY, I18N = 3, 4, 5, 6, 7, 8, 9
_FORMATS = {INT16: ("H", 2), INT32: ("I", 4), INT64: ("Q", 8)}
_REGION_TRAILER = struct.Struct(">iIiI")

Value = str | bytes | Sequence[int] | Sequence[str]


@dataclass
class Header:
    """Tags and their values, to be written as one immutable region.

    region: the tag of the region itself: 62 for a signature header, 63 for a package's own.
    """

    region: int
    entries: dict[int, tuple[int, Value]] = field(default_factory=dict)

    def put(self, tag: int, kind: int, value: Value) -> None:
        """Set a tag; rpm knows no empty arrays, so an empty value is left out."""
        if len(value) > 0:
            self.entries[tag] = (kind, value)

    def pack(self) -> bytes:
        """Return the header's bytes, from its magic on."""
        index, data = b"", bytearray()
        for tag, (kind, value) in sorted(self.entries.items()):
            blob, count, alignment = _encode(kind, value)
            data += bytes(-len(data) % alignment)
            index += struct.pack(">IIII", tag, kind, len(data), count)
            data += blob
        entries = len(self.entries) + 1
        # The region's own entry comes first in the index and points at a trailer at the data's
        # end, which in turn says how far back the index begins.
        index = struct.pack(">IIII", self.region, BINARY, len(data), 16) + index
        data += _REGION_TRAILER.pack(self.region, BINARY, -16 * entries, 16)
        return MAGIC + struct.pack(">II", entries, len(data)) + index + bytes(data)


def _encode(kind: int, value: Value) -> tuple[bytes, int, int]:
    """Return a value's bytes, how many items it has, and its alignment in the data area."""
    if kind in _FORMATS:
        code, size = _FORMATS[kind]
        return struct.pack(f">{len(value)}{code}", *value), len(value), size
    if kind == BINARY:
        assert isinstance(value, bytes)
        return value, len(value), 1
    if kind == STRING:
        assert isinstance(value, str)
        return value.encode() + b"\0", 1, 1
    words = [value] if isinstance(value, str) else [str(word) for word in value]
    return b"".join(word.encode() + b"\0" for word in words), len(words), 1
