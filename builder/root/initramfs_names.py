"""What is in an initramfs: the names in its archives, read without unpacking anything."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from host.errors import HostError

_CPIO = (b"070701", b"070702")
_HEADER_BYTES, _PIECE_BYTES = 110, 1 << 20
_END = "TRAILER!!!"
# How each kind of compression begins (linux, lib/decompress.c) and what undoes it.
_OPENERS: dict[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x28\xb5\x2f\xfd": lambda stream: cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(
        stream, read_across_frames=True)),
    b"\x1f\x8b": lambda stream: cast(BinaryIO, gzip.GzipFile(fileobj=stream)),
    b"\xfd7zXZ": lambda stream: cast(BinaryIO, lzma.LZMAFile(stream)),  # noqa: SIM115
    b"\x5d\x00\x00": lambda stream: cast(BinaryIO, lzma.LZMAFile(stream)),  # noqa: SIM115
    b"BZh": lambda stream: cast(BinaryIO, bz2.BZ2File(stream)),
}


def names(path: Path) -> Iterator[str]:
    """Yield the names in an initramfs, in its own order.

    It is what the kernel takes: cpio archives in newc form one behind the other, such as one with
    the processor's microcode, the last one compressed as a rule
    (https://docs.kernel.org/driver-api/early-userspace/buffer-format.html).
    Raises HostError when it ends too early, or is compressed in a way that is not known here.
    """
    found = False
    try:
        with path.open("rb") as file:
            for name in _archives(file):
                found = True
                yield name
        if not found:  # a cut frame of zstd is no error to its library
            raise EOFError("it ends before its first file")
    except (OSError, EOFError, ValueError, lzma.LZMAError, zstandard.ZstdError) as error:
        raise HostError("the initramfs can't be read", where=str(path), why=str(error)) from error


def _archives(stream: io.BufferedReader) -> Iterator[str]:
    while head := stream.peek(8):
        padding = len(head) - len(head.lstrip(b"\0"))
        if padding:
            stream.read(padding)
        elif head.startswith(_CPIO):
            yield from _archive(stream)
        else:
            opener = next((use for magic, use in _OPENERS.items() if head.startswith(magic)), None)
            if opener is None:
                raise ValueError(f"it is no cpio archive, and compressed by none of gzip, bzip2, "
                                 f"xz, lzma and zstd: it begins with {head[:6]!r}")
            yield from _archives(io.BufferedReader(cast(io.RawIOBase, opener(stream)),
                                                   _PIECE_BYTES))
            return


def _archive(stream: BinaryIO) -> Iterator[str]:
    while True:
        header = _exactly(stream, _HEADER_BYTES)
        size_bytes, name_bytes = int(header[54:62], 16), int(header[94:102], 16)
        raw = _exactly(stream, name_bytes + -(_HEADER_BYTES + name_bytes) % 4)
        name = raw[:name_bytes].rstrip(b"\0").decode("utf-8", "surrogateescape")
        rest = size_bytes + -size_bytes % 4
        while rest:
            rest -= len(_exactly(stream, min(rest, _PIECE_BYTES)))
        if name == _END:
            return
        yield name


def _exactly(stream: BinaryIO, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("it ends in the middle of an archive")
    return content
