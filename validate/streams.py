"""Unpacks gzip, xz, Zstandard and bzip2 as streams, bounded, whole to the last byte.

Python's own file objects end in silence where a zstd stream is cut off, pass over what stands
behind an xz stream, and take any dictionary that its header asks for. Here each of these is said.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any, BinaryIO, Protocol, cast

import zstandard

from host.errors import InputError

UNPACKED_BYTES_MAX = 64 << 30
"""Many times what a root tree holds; a gigabyte of a bomb's zeros takes a second."""
_MEMORY_BYTES = 256 << 20
"""Of a dictionary or window; `xz -9` wants 65 MiB, `zstd --long=27` 128 MiB."""
_PIECE_BYTES = 1 << 20
_SOURCE_BYTES = 64 << 10
_ZSTD_SOURCE_BYTES = 1 << 10
"""Four bytes may be a block of 128 KiB, and all blocks of what is given are unpacked at once."""


class Budget:
    """How much may still be unpacked, of one archive or of all layers of an image together."""

    def __init__(self, left: int | None = None) -> None:
        self.left = UNPACKED_BYTES_MAX if left is None else left
        self._most = self.left

    def take(self, count: int) -> None:
        """Count what is there; raises InputError behind the bound."""
        self.left -= count
        if self.left < 0:
            raise InputError(f"unpacks to more than {self._most / (1 << 30):g} GiB")


class _Decoder(Protocol):
    """Unpacks one stream, as the standard library's decompressors do."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes: ...


class _Zlib:
    """zlib's object with the manners of lzma's: what it did not take, it keeps."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Zstd:
    """Zstandard's object; it is given so little at once that what it returns is bounded."""

    def __init__(self) -> None:
        self._inner: Any = zstandard.ZstdDecompressor(
            max_window_size=_MEMORY_BYTES).decompressobj()

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        return bytes(self._inner.decompress(data)) if data else b""

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)


_KINDS: dict[bytes, tuple[str, Callable[[], Any], int, bytes]] = {
    # What a stream begins with: name, decoder, how much of it is read at once, padding behind it.
    b"\x1f\x8b": ("gzip", _Zlib, _SOURCE_BYTES, b"\0"),
    b"\xfd7zXZ\0": ("xz", lambda: lzma.LZMADecompressor(
        format=lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES), _SOURCE_BYTES, b"\0"),
    b"\x28\xb5\x2f\xfd": ("zstd", _Zstd, _ZSTD_SOURCE_BYTES, b""),
    b"BZh": ("bzip2", bz2.BZ2Decompressor, _SOURCE_BYTES, b""),
}
HEAD_BYTES = 6


def kind_of(head: bytes) -> str | None:
    """Return how a file is packed by what it begins with; None: in no way that we know."""
    return next((kind[0] for magic, kind in _KINDS.items() if head.startswith(magic)), None)


class _Unpacking:
    """What one packed stream, or several behind each other, unpack to."""

    def __init__(self, source: IO[bytes], new: Callable[[], Any], at_once: int, padding: bytes) \
            -> None:
        self._source, self._new, self._at_once, self._padding = source, new, at_once, padding
        self._decoder: _Decoder = new()
        self._begun = False
        self._ready, self._at = b"", 0

    def read(self, count: int) -> bytes:
        """Return the next bytes, at most `count`; none at the end of the last stream."""
        while self._at >= len(self._ready):
            self._ready, self._at = self._more(), 0
            if not self._ready and self._decoder.eof and not self._next():
                return b""
        piece = self._ready[self._at:self._at + count]
        self._at += len(piece)
        return piece

    def _more(self) -> bytes:
        """Return what comes next of this stream; what the decoder kept back comes first."""
        if self._decoder.eof:
            return b""
        kept = self._unpack(b"") if self._begun else b""
        if kept or self._decoder.eof:
            return kept
        piece = self._source.read(self._at_once)
        if not piece:
            raise EOFError("the compressed stream ends too early")
        return self._unpack(piece)

    def _next(self) -> bool:
        """Begin the stream behind this one, if there is any."""
        rest = self._decoder.unused_data or self._source.read(self._at_once)
        while rest and self._padding and not rest.strip(self._padding):
            rest = self._source.read(self._at_once)
        if not rest:
            return False
        self._decoder, self._begun = self._new(), False
        self._ready, self._at = self._unpack(
            rest.lstrip(self._padding) if self._padding else rest), 0
        return True

    def _unpack(self, data: bytes) -> bytes:
        self._begun = True
        try:
            return self._decoder.decompress(data, _PIECE_BYTES)
        except OSError as error:  # bz2's word for what is broken; it is no fault of the system's
            raise ValueError(str(error)) from error


class _Bounded:
    """A stream that gives up behind a bound: a decompression bomb is none of a tree's."""

    def __init__(self, stream: Any, budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes; raises InputError behind the bound."""
        piece: bytes = self._stream.read(
            min(count, _PIECE_BYTES) if count >= 0 else _PIECE_BYTES)
        self._budget.take(len(piece))
        return piece


def unpacked(stream: BinaryIO, budget: Budget | None = None) -> BinaryIO:
    """Return a stream's content: unpacked by its first bytes, else as it is.

    Reading raises one of validate.tars.BROKEN for what is damaged, cut off, or followed by what
    does not belong to it; InputError for more than the budget.
    """
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    kind = next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), None)
    inner = _Unpacking(stream, *kind[1:]) if kind else stream
    return cast("BinaryIO", _Bounded(inner, budget or Budget()))
