"""Files that appear whole or not at all: hashing, staging, exchanging, linking."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host.beneath.openat2 import reopen
from host.beneath.walk import kind
from host.errors import InputError, from_os_error
from host.run import run
from host.sparse import pieces

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal; holes are not read."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        descriptor = stream.fileno()
        for _, piece, _ in pieces(descriptor, os.fstat(descriptor).st_size):
            digest.update(piece)
    return digest.hexdigest()


def read_regular(path: Path, limit_bytes: int) -> bytes:
    """Return what a regular file begins with, at most so many bytes; links are followed.

    Its type is known before it is opened: a FIFO would wait for ever, a device do things.
    Raises OSError, and InputError for what is there and no regular file.
    """
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        mode = os.fstat(found).st_mode
        if not stat.S_ISREG(mode):
            raise InputError(f"{path.name or path} is {kind(mode)} where a regular file belongs",
                             where=str(path), remedy="name a file")
        with os.fdopen(reopen(found, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
            return stream.read(limit_bytes)
    finally:
        os.close(found)


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error


@contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target` that takes its place, whole, when the block ends well.

    A failure leaves `target` as it was and nothing beside it. An older `target` is exchanged
    in one step and then removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    staging.chmod(0o755)
    try:
        yield staging
        sync_tree(staging)
        if target.is_dir():
            exchange(staging, target)
        else:
            staging.rename(target)
        sync_path(target.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def exchange(one: Path, other: Path) -> None:
    """Swap two paths of one file system in a single step (renameat2(2), RENAME_EXCHANGE)."""
    libc = ctypes.CDLL(None, use_errno=True)
    status = libc.renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE,
    )
    if status != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(other))


def sync_path(path: Path) -> None:
    """Flush one file or folder to its disk (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Flush a small folder and the regular files in it to their disk."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                sync_path(path)
        sync_path(Path(folder))


def link_or_copy(source: Path, target: Path) -> None:
    """Give `target` the content of `source`: a hard link where possible, else a sparse copy."""
    try:
        os.link(source, target)
    except OSError:
        run(["cp", "--sparse=always", "--reflink=auto", "--preserve=mode,timestamps",
             source, target])
