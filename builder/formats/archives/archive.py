"""tar archives of a few plain files: same bytes each time, big files streamed, holes not read.

As in tools/blocks.py, content decides what is empty, and a copy of a file with other holes gives
the same archive, gzipped ones too.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Protocol

from builder.formats.disk_files import blocks
from builder.formats.streams import gzip_member
from builder.formats.streams.parallel import ordered
from host.progress import Progress

Data = bytes | bytearray | memoryview
Piece = tuple[Data, bool]
"""Content, and whether it is data: with False it is all zeroes."""

_BLOCK_BYTES = tarfile.BLOCKSIZE
_RECORD_BYTES = tarfile.RECORDSIZE
_USTAR_LIMIT_BYTES = 8 << 30
_ZEROES = memoryview(bytes(gzip_member.PIECE_BYTES))


class Digest(Protocol):
    """What hashlib's objects have in common."""

    def update(self, data: Data, /) -> None:
        """Take more content."""


def member(
    name: str, content: bytes | Path, epoch: int, digest: Digest | None = None,
) -> Iterator[Piece]:
    """Yield one plain file of an archive: its header, its content, what fills its last block.

    content: the bytes, or the file that holds them. epoch: its time. digest: fed with the content.
    The owner is root and the mode 0644, whatever those of the file are.
    """
    size_bytes = len(content) if isinstance(content, bytes) else content.stat().st_size
    yield _header(name, size_bytes, epoch), True
    for piece, is_data in _content(content, size_bytes):
        if digest is not None:
            digest.update(piece)
        yield piece, is_data
    if size_bytes % _BLOCK_BYTES:
        yield bytes(-size_bytes % _BLOCK_BYTES), True


def padded_bytes(size_bytes: int) -> int:
    """Return the room that a member of this size takes in the archive, its header included."""
    return _BLOCK_BYTES + size_bytes + -size_bytes % _BLOCK_BYTES


def tar(*members: Iterable[Piece]) -> Iterator[Piece]:
    """Yield a whole archive: its members, and the end as tar(1) writes it, up to a full record."""
    size_bytes = 2 * _BLOCK_BYTES
    for piece, is_data in chain.from_iterable(members):
        size_bytes += len(piece)
        yield piece, is_data
    yield bytes(2 * _BLOCK_BYTES + -size_bytes % _RECORD_BYTES), True


def write(destination: Path, archive: Iterable[Piece]) -> None:
    """Write an archive into a new file; holes stay holes."""
    with destination.open("wb") as stream:
        for piece, is_data in archive:
            if is_data:
                stream.write(piece)
            else:  # the end of an archive is always data, so the file gets its full length
                stream.seek(len(piece), os.SEEK_CUR)


def gzipped(archive: Iterable[Piece], level: int) -> Iterator[bytes]:
    """Yield the archive as one gzip member; level: 1 is fast, 9 small."""

    def compressed(piece: Piece) -> gzip_member.Piece:
        data, is_data = piece
        return (gzip_member.piece(data, level) if is_data
                else gzip_member.zeroes(len(data), level))

    return gzip_member.stream(ordered(compressed, archive))


def watched(
    archive: Iterable[Piece], total_bytes: int, progress: Progress, step: str,
) -> Iterator[Piece]:
    """Yield the same pieces, and tell of each further percent of `total_bytes`."""
    done_bytes, told = 0, 0
    for piece, is_data in archive:
        done_bytes += len(piece)
        percent = min(100, 100 * done_bytes // max(1, total_bytes))
        if percent > told:
            told = percent
            progress.advance(step, percent)
        yield piece, is_data


def _header(name: str, size_bytes: int, epoch: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size_bytes, epoch, 0o644
    # DSP0243 (OVF) asks for ustar, and every reader knows it; from 8 GiB on it has no room for
    # the size, and GNU's way to write it is the one that most readers know.
    small = size_bytes < _USTAR_LIMIT_BYTES
    return info.tobuf(tarfile.USTAR_FORMAT if small else tarfile.GNU_FORMAT)


def _content(content: bytes | Path, size_bytes: int) -> Iterator[Piece]:
    if isinstance(content, bytes):
        yield content, True
        return
    with blocks.opened(content) as disk:
        for offset in range(0, size_bytes, gzip_member.PIECE_BYTES):
            length = min(gzip_member.PIECE_BYTES, size_bytes - offset)
            data = blocks.content(disk, offset, length)
            yield (_ZEROES[:length], False) if data is None else (data, True)
