"""A tar of an OCI image layout: a blob of unknown length is written in its place, once."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable
from typing import BinaryIO

from builder.formats.containers.oci_documents import Blob

_BLOCK_BYTES = tarfile.BLOCKSIZE


def add(stream: BinaryIO, name: str, content: bytes, epoch: int) -> None:
    """Add a small file."""
    stream.write(_header(name, len(content), epoch))
    stream.write(content)
    pad(stream, len(content))


def add_folder(stream: BinaryIO, name: str, epoch: int) -> None:
    """Add an empty folder."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, epoch
    stream.write(entry.tobuf(tarfile.GNU_FORMAT))


def add_blob(
    stream: BinaryIO, media: str, epoch: int, write: Callable[[int], None],
) -> Blob:
    """Add a blob that `write` puts at the offset of the descriptor it is given.

    A blob's name is its digest and stands before it in the archive: its header is left open and
    filled in when the content is there, so that hundreds of megabytes are written only once.
    """
    stream.flush()
    descriptor = stream.fileno()
    at = os.lseek(descriptor, _BLOCK_BYTES, os.SEEK_CUR) - _BLOCK_BYTES
    write(descriptor)
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    size_bytes = end - at - _BLOCK_BYTES
    digest = _digest(descriptor, at + _BLOCK_BYTES, size_bytes)
    blob = Blob(media, f"sha256:{digest}", size_bytes)
    header = _header(blob.path, size_bytes, epoch)
    os.pwrite(descriptor, header, at)
    stream.seek(end)
    pad(stream, size_bytes)
    return blob


def pad(stream: BinaryIO, size_bytes: int) -> None:
    """Fill up the last block of a member of this size."""
    stream.write(bytes(-size_bytes % _BLOCK_BYTES))


def finish(stream: BinaryIO) -> None:
    """Write the end of the archive."""
    stream.write(bytes(2 * _BLOCK_BYTES))


def _header(name: str, size_bytes: int, epoch: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size_bytes, epoch, 0o644
    # GNU's format takes sizes of 8 GiB and more without a second header.
    return entry.tobuf(tarfile.GNU_FORMAT)


def _digest(descriptor: int, at: int, size_bytes: int) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    end = at + size_bytes
    while at < end:
        length = os.preadv(descriptor, [buffer[:min(len(buffer), end - at)]], at)
        digest.update(buffer[:length])
        at += length
    return digest.hexdigest()
