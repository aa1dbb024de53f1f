"""Unpacks an archive of a stranger's, with bounds on what it and its headers come to."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from host.errors import InputError

UNPACKED_BYTES_MAX = 64 << 30
"""Many times what a root tree holds; a gigabyte of a bomb's zeroes takes a second."""
MEMBERS_MAX = 1_000_000
_HEADER_BYTES_MAX = 1 << 20
"""Extended attributes and long names; tarfile reads them into memory as a whole."""
HEAD_BYTES = 512

_USTAR = b"ustar"
_OPENERS: dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")),
    b"\xfd7zXZ\0": ("xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": ("zstd", lambda stream: zstandard.ZstdDecompressor().stream_reader(
        stream, read_across_frames=True)),
    b"BZh": ("bzip2", bz2.BZ2File),
}
_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK)
BROKEN = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError,
          gzip.BadGzipFile, struct.error, ValueError, OverflowError)
"""What the readers say of an archive that is broken."""


_PROC_MEMBER: Any = vars(tarfile.TarInfo)["_proc_member"]  # for subclasses: its comment says so


class ModestInfo(tarfile.TarInfo):
    """A member whose headers are of a size that headers have."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > _HEADER_BYTES_MAX:
            raise tarfile.HeaderError(f"a header of {self.size} bytes")
        return cast(tarfile.TarInfo, _PROC_MEMBER(self, archive))


class _Counted:
    """A stream of which no more than UNPACKED_BYTES_MAX are read."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path, self._left = stream, path, UNPACKED_BYTES_MAX

    def read(self, count: int) -> bytes:
        try:
            piece = bytes(self._stream.read(count))
        except OSError as error:
            if error.errno is None:  # not the system's: bz2 says so that its input is broken
                raise ValueError(str(error)) from error
            raise
        self._left -= len(piece)
        if self._left < 0:
            raise InputError(f"unpacks to more than {UNPACKED_BYTES_MAX >> 30} GiB",
                             where=str(self._path))
        return piece


def archive_kind(head: bytes) -> str | None:
    """Return how an archive begins: gzip, xz, zstd, bzip2 or tar; None: it is none that we know."""
    if head[257:262] == _USTAR:
        return "tar"
    return next((name for magic, (name, _) in _OPENERS.items() if head.startswith(magic)), None)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes] | None]:
    """Yield what an archive unpacks to, None for a file of no kind that we know.

    Reading raises one of BROKEN for what is damaged, InputError for more than UNPACKED_BYTES_MAX.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        if archive_kind(head) is None:
            yield None
            return
        packed = next((opener for magic, (_, opener) in _OPENERS.items()
                       if head.startswith(magic)), None)
        source = packed(stream) if packed else stream
        yield cast(IO[bytes], _Counted(source, path))
