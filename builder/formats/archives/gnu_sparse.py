"""A sparse member of a tar in the old GNU format (GNU tar's manual, appendix "Tar Internals")."""

from __future__ import annotations

from collections.abc import Sequence

BLOCK_BYTES = 512
RECORD_BYTES = 20 * BLOCK_BYTES

_IN_HEADER, _IN_EXTENSION = 4, 21
_SIZE_AT, _CHECKSUM_AT, _SPARSE_AT, _REAL_SIZE_AT = 124, 148, 386, 483


def header(name: str, size_bytes: int, stretches: Sequence[tuple[int, int]], epoch: int) -> bytes:
    """Return a plain file's header with the map of its content, owned by root.

    stretches: (start, end) of what is stored, in order. size_bytes: of the whole file.
    """
    # The last entry of no length stands for the end: without it GNU tar drops a hole there.
    entries = [(start, end - start) for start, end in stretches] + [(size_bytes, 0)]
    stored = sum(length for _, length in entries)
    block = bytearray(BLOCK_BYTES)
    for at, field in (
        (0, name.encode("ascii")), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"),
        (_SIZE_AT, _number(stored)), (136, _number(epoch)), (_CHECKSUM_AT, b" " * 8), (156, b"S"),
        (257, b"ustar  \0"), (265, b"root"), (297, b"root"),
        (_SPARSE_AT, _map(entries[:_IN_HEADER], _IN_HEADER)),
        (_SPARSE_AT + 24 * _IN_HEADER, bytes([len(entries) > _IN_HEADER])),
        (_REAL_SIZE_AT, _number(size_bytes)),
    ):
        block[at:at + len(field)] = field
    block[_CHECKSUM_AT:_CHECKSUM_AT + 8] = b"%06o\0 " % sum(block)
    extensions = b""
    for at in range(_IN_HEADER, len(entries), _IN_EXTENSION):
        more = _map(entries[at:at + _IN_EXTENSION], _IN_EXTENSION)
        extensions += (more + bytes([at + _IN_EXTENSION < len(entries)])).ljust(BLOCK_BYTES, b"\0")
    return bytes(block) + extensions


def end(length: int) -> bytes:
    """Return what ends an archive of this length: two empty blocks, up to a full record."""
    return bytes(2 * BLOCK_BYTES + -(length + 2 * BLOCK_BYTES) % RECORD_BYTES)


def _map(entries: Sequence[tuple[int, int]], room: int) -> bytes:
    data = b"".join(_number(start) + _number(length) for start, length in entries)
    return data.ljust(24 * room, b"\0")


def _number(value: int) -> bytes:
    """Return a field of twelve bytes: octal digits, or GNU's binary number when they do not do."""
    if value < 8 ** 11:
        return b"%011o\0" % value
    return b"\x80" + value.to_bytes(11, "big")
