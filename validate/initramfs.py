"""What is in an initramfs: names and links of its archives, packed or not, one after the other.

The kernel's own format (Documentation/driver-api/early-userspace/buffer-format.rst): cpio archives
("newc"), each plain or packed by gzip, xz, zstd or lz4. Bounded: nothing is kept but names, and
contents of what is asked for.
"""

from __future__ import annotations

import lzma
import zlib
from dataclasses import dataclass, field

import zstandard

from host.errors import InputError

UNPACKED_BYTES_MAX = 1 << 30
_NAMES_MAX = 100_000
_MAGIC = (b"070701", b"070702")
_PACKED = {b"\x1f\x8b": "gzip", b"\xfd7": "xz", b"(\xb5": "zstd", b"\x02!": "lz4",
           b"\x04\"": "lz4"}


@dataclass
class Initramfs:
    """Names from the root, with the mode of each; how the archives are packed."""

    modes: dict[str, int] = field(default_factory=dict)
    packed: list[str] = field(default_factory=list)

    @property
    def modules(self) -> set[str]:
        """The names of the kernel modules in it, as modprobe writes them."""
        return {module_name(path) for path in self.modes if ".ko" in path.rpartition("/")[2]}


def module_name(path: str) -> str:
    """Return a module's name from its path: without .ko, .ko.xz and so on, _ for -."""
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def read(content: bytes) -> Initramfs:
    """Return what is in an initramfs; raises InputError for what is none, or beyond bounds."""
    found = Initramfs()
    at = 0
    while at < len(content):
        if content[at] == 0:
            at += 1
            while at < len(content) and content[at:at + 4096] == bytes(len(content[at:at + 4096])):
                at += 4096
            continue
        if content[at:at + 6] in _MAGIC:
            found.packed.append("none")
            at = _archive(content, at, found)
            continue
        kind = _PACKED.get(content[at:at + 2])
        if kind is None:
            raise InputError("the initramfs is of no kind that is known",
                             why=content[at:at + 6].hex())
        found.packed.append(kind)
        inside = _unpacked(kind, content[at:])
        inner = 0
        while inner < len(inside):
            if inside[inner] == 0:
                inner += 4 - inner % 4 if inner % 4 else 4
            elif inside[inner:inner + 6] in _MAGIC:
                inner = _archive(inside, inner, found)
            else:
                break
        break
    if not found.modes:
        raise InputError("the initramfs holds nothing")
    return found


def _unpacked(kind: str, packed: bytes) -> bytes:
    try:
        if kind == "gzip":
            content = zlib.decompressobj(wbits=31).decompress(packed, UNPACKED_BYTES_MAX)
        elif kind == "xz":
            content = lzma.LZMADecompressor(memlimit=256 << 20).decompress(
                packed, UNPACKED_BYTES_MAX)
        elif kind == "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=256 << 20).stream_reader(
                packed, read_across_frames=True)
            content = reader.read(UNPACKED_BYTES_MAX)
        else:
            raise InputError("an initramfs packed by lz4 can't be read here")
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError) as error:
        raise InputError("the initramfs can't be unpacked", why=str(error)) from error
    if len(content) >= UNPACKED_BYTES_MAX:
        raise InputError("the initramfs holds more than any would")
    return bytes(content)


def _archive(content: bytes, at: int, found: Initramfs) -> int:
    """Read one archive from a place on; return the place behind it."""
    while at + 110 <= len(content):
        head = content[at:at + 110]
        if head[:6] not in _MAGIC:
            break
        try:
            mode, size, name_size = (int(head[14:22], 16), int(head[54:62], 16),
                                     int(head[94:102], 16))
        except ValueError as error:
            raise InputError("the initramfs has a broken archive") from error
        name = content[at + 110:at + 110 + name_size].rstrip(b"\0").decode(errors="replace")
        data = (at + 110 + name_size + 3) & ~3
        at = (data + size + 3) & ~3
        if name == "TRAILER!!!":
            break
        path = "/" + name.removeprefix("./").lstrip("/")
        found.modes["/" if path == "/." else path] = mode
        if len(found.modes) > _NAMES_MAX:
            raise InputError("the initramfs holds more files than any would")
    return at
