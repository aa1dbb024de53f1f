"""Files that appear whole or not at all: hashing, staging, exchanging, linking."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import logging
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from host.beneath.openat2 import reopen
from host.beneath.remove import remove_tree
from host.beneath.walk import kind
from host.errors import InputError, ProgramError, from_os_error
from host.folders import content, own_folder
from host.run import run
from host.sparse import pieces

log = logging.getLogger("ccis.files")

_ADDED = re.compile("[a-z0-9_]{8}")  # by mkdtemp()
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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

    A failure leaves `target` as it was and nothing beside it; what somebody left who was killed
    is removed. An older `target` is exchanged in one step and then removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_staged(target)
    staging, descriptor = _locked_staging(target)
    try:
        yield staging
        sync_tree(staging)
        if target.is_dir():
            exchange(staging, target)
        else:
            staging.rename(target)
        sync_path(target.parent)
    finally:
        try:
            _remove(staging)
        except BaseException:  # a signal: it is raised when all is clean
            _remove(staging)
            raise
        finally:
            os.close(descriptor)


def _locked_staging(target: Path) -> tuple[Path, int]:
    """Make a folder beside `target` and hold it: its lock tells that somebody works in it."""
    while True:
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        descriptor = os.open(staging, _FOLDER)
        if _holds(descriptor, staging) is not False:
            break  # else a sweep has just come by
        os.close(descriptor)
    own_folder(staging, 0o755)
    return staging, descriptor


def _holds(descriptor: int, folder: Path) -> bool | None:
    """Lock a folder itself; False if others hold it or it is gone, None where there are no locks.

    NFS has none for what is open for reading only (flock(2)).
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), folder.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return None


def _sweep_staged(target: Path) -> None:
    prefix = f".{target.name}."
    for path in content(target.parent):
        if not path.name.startswith(prefix) or not _ADDED.fullmatch(path.name[len(prefix):]):
            continue
        with suppress(OSError):  # another sweep was faster
            descriptor = os.open(path, _FOLDER)
            try:
                if _holds(descriptor, path):
                    _remove(path)
            finally:
                os.close(descriptor)


def _remove(folder: Path) -> None:
    try:
        remove_tree(folder)
    except OSError as error:
        log.debug("%s is left behind: %s", folder, error)


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


def link_or_copy(source: Path, target: Path, mode: int | None = None) -> None:
    """Give `target` the content of `source`: a hard link where possible, else a sparse copy.

    mode: what it has then; a link has it in common with the source. Raises OSError when the disk
    is full, ProgramError when it can't be copied for another reason.
    """
    try:
        os.link(source, target)
    except OSError:
        try:
            run(["cp", "--sparse=always", "--reflink=auto", "--preserve=mode,timestamps",
                 source, target])
        except ProgramError as error:
            full = os.strerror(errno.ENOSPC)
            if any(full in line for line in error.tail):
                raise OSError(errno.ENOSPC, full, str(target)) from error
            raise
    if mode is not None and stat.S_IMODE(target.stat().st_mode) != mode:
        target.chmod(mode)
