"""Pieces of tar archives that no archiver writes: headers that lie, chains and floods of them."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping

END = bytes(1024)


def padded(content: bytes) -> bytes:
    """Fill up to whole blocks."""
    return content + bytes(-len(content) % 512)


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "",
) -> bytes:
    """Return one member in GNU's format."""
    about = tarfile.TarInfo(name)
    about.type, about.size, about.linkname = kind, len(content), link
    return about.tobuf(tarfile.GNU_FORMAT) + padded(content)


def extended(values: Mapping[str, bytes], kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return a pax header; values are as they are, whatever pax says."""
    body = b""
    for key, value in values.items():
        line = b" " + key.encode() + b"=" + value + b"\n"
        length = len(line)
        while len(str(length)) + len(line) != length:
            length = len(str(length)) + len(line)
        body += str(length).encode() + line
    about = tarfile.TarInfo("pax")
    about.type, about.size = kind, len(body)
    return about.tobuf(tarfile.USTAR_FORMAT) + padded(body)


def patched(block: bytes, at: int, value: bytes) -> bytes:
    """Return a header with other bytes at a place, and the checksum that belongs to it."""
    content = bytearray(block)
    content[at:at + len(value)] = value
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def sparse(name: str, size: int, more: int = 0) -> bytes:
    """Return a sparse file of GNU's old format that says it is so large; more: blocks of a map."""
    head = patched(member(name, kind=tarfile.GNUTYPE_SPARSE), 386, b"%011o\0%011o\0" % (0, 0))
    head = patched(head, 482, b"\1" if more else b"\0")
    head = patched(head, 483, b"\x80" + size.to_bytes(11, "big"))
    block = b"%011o\0%011o\0" % (0, 0) * 21 + b"\1" + bytes(7)
    return head + block * more


def of_size(value: bytes) -> bytes:
    """Return a member with these twelve bytes as its size."""
    return patched(member("x"), 124, value)
