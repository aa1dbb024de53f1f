"""What is in an initramfs: the names in its archives, read without unpacking anything.

A script may have made the file what it liked, so what it unpacks to, the memory that this takes
and the number of its names are bounded.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from host.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LIMIT_BYTES = 2 << 30
"""What an initramfs may unpack to: one with all firmware there is comes to less than half."""

_PADDING_BYTES = 64 << 20
_NAMES_MAX = 1_000_000
_NAME_BYTES = 4096  # PATH_MAX: the kernel skips longer ones (linux, init/initramfs.c)
_LZMA_BYTES = 512 << 20  # of memory, for its dictionary
_CPIO = (b"070701", b"070702")
_HEADER_BYTES, _PIECE_BYTES = 110, 1 << 20
_NUMBER = re.compile(rb"[0-9A-Fa-f]{8}")
_END = "TRAILER!!!"


class _Lzma(io.RawIOBase):
    """What an xz or lzma file holds; lzma.LZMAFile would take all memory that a file asks for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decompressor = lzma.LZMADecompressor(memlimit=_LZMA_BYTES)

    def readable(self) -> bool:
        """A buffer around it asks."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read as much as the next step of the decompression gives; 0 at the end."""
        view = memoryview(buffer)
        content = b""
        while not content and not self._decompressor.eof:
            piece = b""
            if self._decompressor.needs_input:
                piece = self._stream.read(_PIECE_BYTES)
                if not piece:
                    raise EOFError("it ends in the middle of its compression")
            content = self._decompressor.decompress(piece, len(view))
        view[:len(content)] = content
        return len(content)


# How each kind of compression begins (linux, lib/decompress.c) and what undoes it.
_OPENERS: dict[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x28\xb5\x2f\xfd": lambda stream: cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(
        stream, read_across_frames=True)),
    b"\x1f\x8b": lambda stream: cast(BinaryIO, gzip.GzipFile(fileobj=stream)),
    b"\xfd7zXZ": lambda stream: cast(BinaryIO, _Lzma(stream)),
    b"\x5d\x00\x00": lambda stream: cast(BinaryIO, _Lzma(stream)),
    b"BZh": lambda stream: cast(BinaryIO, bz2.BZ2File(stream)),
}


def names(stream: BinaryIO, where: str) -> Iterator[str]:
    """Yield the names in an initramfs, in its own order.

    It is what the kernel takes: cpio archives in newc form one behind the other, such as one with
    the processor's microcode, the last one compressed as a rule
    (https://docs.kernel.org/driver-api/early-userspace/buffer-format.html).
    stream: the file. where: its name in errors.
    Raises InputError when it ends too early, is compressed in a way that is not known here, or
    unpacks to more than LIMIT_BYTES.
    """
    count = 0
    try:
        for name in _archives(io.BufferedReader(cast(io.RawIOBase, stream), _PIECE_BYTES), [0]):
            count += 1
            if count > _NAMES_MAX:
                raise ValueError(f"it holds more than {_NAMES_MAX} names")
            yield name
        if not count:  # a cut frame of zstd is no error to its library
            raise EOFError("it ends before its first file")
    except (OSError, EOFError, ValueError, MemoryError, lzma.LZMAError, zlib.error,
            zstandard.ZstdError) as error:
        raise InputError("the initramfs can't be read", where=where, why=str(error),
                         remedy="see what made it: dracut, or a script") from error


def _archives(
    stream: io.BufferedReader[io.RawIOBase], read_bytes: list[int], *, packed: bool = False,
) -> Iterator[str]:
    """Yield the names of all archives. read_bytes: its one number counts what was unpacked.

    packed: this is what a compressed part holds, which the kernel does not unpack once more.
    """
    padded_bytes = 0
    while head := stream.peek(8):
        padding = len(head) - len(head.lstrip(b"\0"))
        padded_bytes += padding
        if padded_bytes > _PADDING_BYTES:
            raise ValueError("there is nothing in a large part of it")
        if padding:
            _exactly(stream, padding, read_bytes)
        elif head.startswith(_CPIO):
            yield from _archive(stream, read_bytes)
        else:
            opener = next((use for magic, use in _OPENERS.items() if head.startswith(magic)), None)
            if opener is None or packed:
                raise ValueError(f"it is no cpio archive, and compressed by none of gzip, bzip2, "
                                 f"xz, lzma and zstd: it begins with {head[:6]!r}")
            inner = io.BufferedReader(cast(io.RawIOBase, opener(stream)), _PIECE_BYTES)
            yield from _archives(inner, read_bytes, packed=True)
            return


def _archive(stream: BinaryIO, read_bytes: list[int]) -> Iterator[str]:
    while True:
        header = _exactly(stream, _HEADER_BYTES, read_bytes)
        size_bytes, name_bytes = _number(header[54:62]), _number(header[94:102])
        if name_bytes > _NAME_BYTES:
            raise ValueError("a name in it is too long")
        raw = _exactly(stream, name_bytes + -(_HEADER_BYTES + name_bytes) % 4, read_bytes)
        name = raw[:name_bytes].rstrip(b"\0").decode("utf-8", "surrogateescape")
        rest = size_bytes + -size_bytes % 4
        while rest:
            rest -= len(_exactly(stream, min(rest, _PIECE_BYTES), read_bytes))
        if name == _END:
            return
        yield name


def _number(field: bytes) -> int:
    if not _NUMBER.fullmatch(field):
        raise ValueError("the header of a file in it is broken")
    return int(field, 16)


def _exactly(stream: BinaryIO, count: int, read_bytes: list[int]) -> bytes:
    read_bytes[0] += count
    if read_bytes[0] > LIMIT_BYTES:
        raise ValueError(f"it unpacks to more than {LIMIT_BYTES} bytes")
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("it ends in the middle of an archive")
    return content
