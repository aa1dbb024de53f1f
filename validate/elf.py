"""ELF files: the machine, the interpreter and the libraries that one needs (elf(5))."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD_BYTES = 64
_PROGRAMS_MAX = 64
_DYNAMIC_BYTES_MAX = 64 << 10
_STRINGS_BYTES_MAX = 16 << 20
_NEEDED, _STRTAB, _SONAME, _STRSZ, _LOAD, _DYNAMIC, _INTERP = 1, 5, 14, 10, 1, 2, 3


@dataclass(frozen=True)
class Linked:
    """What a dynamic program or library asks for."""

    machine: int
    interpreter: str
    needed: tuple[str, ...]
    bits: int


def parse(content: bytes) -> Linked | None:
    """Return what an ELF file needs; None for what is none, is static, or is broken.

    content: the whole file, or as much of it as its dynamic section and names take.
    """
    if content[:4] != b"\x7fELF" or len(content) < HEAD_BYTES or content[5] not in (1, 2):
        return None
    wide, order = content[4] == 2, "<" if content[5] == 1 else ">"
    try:
        return _linked(content, wide, order)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def _linked(content: bytes, wide: bool, order: str) -> Linked | None:
    machine = struct.unpack_from(f"{order}H", content, 18)[0]
    if wide:
        table = struct.unpack_from(f"{order}Q", content, 32)[0]
        size, count = struct.unpack_from(f"{order}HH", content, 54)
    else:
        table = struct.unpack_from(f"{order}I", content, 28)[0]
        size, count = struct.unpack_from(f"{order}HH", content, 42)
    loads, dynamic, interpreter = [], None, ""
    for number in range(min(count, _PROGRAMS_MAX)):
        at = table + number * size
        kind = struct.unpack_from(f"{order}I", content, at)[0]
        if wide:
            offset, address, _, length = struct.unpack_from(f"{order}QQQQ", content, at + 8)
        else:
            offset, address, _, length = struct.unpack_from(f"{order}IIII", content, at + 4)
        if kind == _LOAD:
            loads.append((address, offset, length))
        elif kind == _DYNAMIC:
            dynamic = (offset, length)
        elif kind == _INTERP:
            interpreter = content[offset:offset + min(length, 256)].rstrip(b"\0").decode()
    if dynamic is None:
        return None
    area = content[dynamic[0]:dynamic[0] + min(dynamic[1], _DYNAMIC_BYTES_MAX)]
    entry = struct.Struct(f"{order}{'qQ' if wide else 'iI'}")
    pairs = [entry.unpack_from(area, at) for at in range(0, len(area) - entry.size + 1,
                                                         entry.size)]
    strings = next((value for tag, value in pairs if tag == _STRTAB), None)
    if strings is None:
        return Linked(machine, interpreter, (), 64 if wide else 32)
    place = next((strings - address + offset for address, offset, length in loads
                  if address <= strings < address + length), strings)
    names = []
    for tag, value in pairs:
        if tag == _NEEDED and value < _STRINGS_BYTES_MAX:
            end = content.find(b"\0", place + value, place + value + 256)
            names.append(content[place + value:end].decode() if end > 0 else "")
        if tag == 0:
            break
    return Linked(machine, interpreter, tuple(name for name in names if name),
                  64 if wide else 32)
