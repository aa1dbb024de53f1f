"""Members of a stranger's tar archive, one after the other, with bounds on all that headers say.

tarfile is the reader. What it takes on trust is looked at here: sizes below zero, chains and floods
of extended headers, sparse files of exabytes, members that it keeps in memory; and what it passes
over in silence, a broken header or a missing end, is an error.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, cast

import zstandard

from host.errors import InputError
from validate.streams import Budget

MEMBERS_MAX = 1_000_000
NAME_BYTES_MAX = 4096
"""PATH_MAX of Linux: no file system gives out a longer name."""
LEVELS_MAX = 256
"""As a tree of ours may have (docs/security.md)."""
_HEADER_BYTES_MAX = 1 << 20
"""Extended attributes and long names of one member; tarfile reads them into memory as a whole."""
_HEADERS_BYTES_MAX = 256 << 20
"""Extended headers of all members; what is below _FREE_BYTES at each is not counted."""
_FREE_BYTES = 32 << 10
_CHAIN_MAX = 16
"""Headers before one member: a path, a link, attributes; tarfile goes down a level for each."""
_GLOBAL_BYTES_MAX = 4 << 10
"""They are copied into every member; `git archive` writes a comment of 52 bytes."""
_PIECE_BYTES = 1 << 20
_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK)
BROKEN = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError,
          gzip.BadGzipFile, struct.error, ValueError, OverflowError, IndexError, RecursionError)
"""What the readers say of an archive that is broken."""

# For subclasses, tarfile's comments say; its stubs know none of them.
_PROC_MEMBER: Any = vars(tarfile.TarInfo)["_proc_member"]
_END: type[tarfile.HeaderError] = vars(tarfile)["EOFHeaderError"]
_NOTHING: type[tarfile.HeaderError] = vars(tarfile)["EmptyHeaderError"]


class _Source:
    """The stream below tarfile, which may read so much only while it is at a member's headers."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.chain = self.globals_bytes = self.counted_bytes = self.header_bytes = 0
        self.in_headers = False

    def read(self, count: int) -> bytes:
        """Return the next bytes; raises HeaderError for headers without end."""
        if self.in_headers:
            self.header_bytes += count
            self.counted_bytes += count if self.header_bytes > _FREE_BYTES else 0
            if self.header_bytes > 2 * _HEADER_BYTES_MAX or \
                    self.counted_bytes > _HEADERS_BYTES_MAX:
                raise tarfile.ReadError("headers of more bytes than any member has")
        return self._stream.read(count)

    def seek(self, to: int) -> int:
        """Go to a place, where the stream below can."""
        return self._stream.seek(to)

    def tell(self) -> int:
        """Return the place."""
        return self._stream.tell()


class ModestInfo(tarfile.TarInfo):
    """A member whose headers are of a size that headers have."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> ModestInfo:
        """Read the next member; raises ReadError where tarfile would take it for the end."""
        try:
            return super().fromtarfile(archive)
        except _END:
            raise
        except tarfile.HeaderError as error:
            if archive.offset == 0:
                raise
            cut_off = isinstance(error, _NOTHING)
            raise tarfile.ReadError("it is cut off: it has no end" if cut_off else
                                    f"{error}, at byte {archive.offset}") from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size < 0:
            raise tarfile.ReadError(f"a member of {self.size} bytes")
        source = _source(archive)
        if self.type in _HEADERS:
            if self.size > _HEADER_BYTES_MAX:
                raise tarfile.HeaderError(f"a header of {self.size} bytes")
            source.chain += 1
            source.globals_bytes += self.size if self.type == tarfile.XGLTYPE else 0
            if source.chain > _CHAIN_MAX or source.globals_bytes > _GLOBAL_BYTES_MAX:
                raise tarfile.ReadError("more extended headers than any member has")
        outermost, source.in_headers = not source.in_headers, True
        try:
            member = cast(tarfile.TarInfo, _PROC_MEMBER(self, archive))
        finally:
            if outermost:
                source.in_headers, source.header_bytes, source.chain = False, 0, 0
        if member.size < 0 or archive.offset < member.offset_data:
            raise tarfile.ReadError(f"a member of {member.size} bytes")
        return member


def _source(archive: tarfile.TarFile) -> _Source:
    inner: Any = archive.fileobj
    found = inner if isinstance(inner, _Source) else inner.fileobj
    assert isinstance(found, _Source)
    return found


class Archive:
    """A tar archive that is read from its beginning to its end.

    faults: what a reader with other rules would see otherwise, such as data behind the end.
    """

    def __init__(self, stream: BinaryIO, budget: Budget, *, seekable: bool = False) -> None:
        self._source, self._budget = _Source(stream), budget
        self._seekable = seekable
        self._tar: tarfile.TarFile | None = None
        self.faults: list[str] = []

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Yield all members; raises one of BROKEN, InputError for what is beyond bounds."""
        with tarfile.open(
                fileobj=cast("IO[bytes]", self._source), errorlevel=1, tarinfo=ModestInfo,
                mode="r:" if self._seekable else "r|") as tar:
            self._tar = tar
            number = 0
            while (member := self._next(tar)) is not None:
                cast(Any, tar).members.clear()  # it would keep them all
                number += 1
                if number > MEMBERS_MAX:
                    raise InputError(f"holds more than {MEMBERS_MAX} files")
                for name in (member.name, member.linkname):
                    if len(name) > NAME_BYTES_MAX or name.count("/") > LEVELS_MAX:
                        raise InputError("holds a name that is longer or deeper than any",
                                         why=f"it has {len(name)} characters")
                if "\0" in member.name:
                    raise tarfile.ReadError("a name with NUL")
                if member.issparse():
                    self._budget.take(member.size)
                yield member
            if not self._seekable:
                self._end(tar)

    def content(self, member: tarfile.TarInfo) -> IO[bytes] | None:
        """Return what a regular member holds, None for another."""
        assert self._tar is not None
        return self._tar.extractfile(member) if member.isreg() else None

    def _next(self, tar: tarfile.TarFile) -> tarfile.TarInfo | None:
        """Go to the next member; tarfile's own way over one of exabytes does not see the end."""
        if cast(Any, tar).firstmember is not None:
            return tar.next()  # it has read that when it was opened
        inner = cast("IO[bytes]", tar.fileobj)
        while not self._seekable and (left := tar.offset - inner.tell()) > 0:
            if not inner.read(min(left, _PIECE_BYTES)):
                raise tarfile.ReadError("unexpected end of data")
        return tar.next()

    def _end(self, tar: tarfile.TarFile) -> None:
        """Read on to the end: what is cut off behind the last member is cut off all the same."""
        more = False
        inner = cast("IO[bytes]", tar.fileobj)
        while piece := inner.read(_PIECE_BYTES):
            more = more or piece.count(0) != len(piece)
        if more:
            self.faults.append("there is more behind the end of the archive")
