"""Folders for work in progress that are swept even when their owner was killed."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from host.beneath.remove import remove_tree
from host.errors import HostError, from_os_error
from host.folders import own_folder
from host.locks import try_lock
from host.places import cache_folder
from host.variables import WORK

log = logging.getLogger("ccis.scratch")

_LOCK = ".lock"


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield a new folder below the cache that only this user may enter, and remove it at the end.

    What killed processes left is removed when the next one asks for a folder of the same
    purpose. Raises HostError when the cache can't be written.
    """
    home = cache_folder() / "scratch" / purpose
    try:
        own_folder(home.parent)
        own_folder(home)
        sweep(home)
        folder, descriptor = _guarded(home)
    except OSError as error:
        raise from_os_error(error, f"making a folder in {home}") from error
    try:
        yield folder
    finally:
        _clear(folder, descriptor)


@contextmanager
def guarded_folder(home: Path) -> Iterator[Path]:
    """Yield a new folder in `home`, guarded by a lock that the kernel drops with its owner.

    It may be moved away meanwhile; what is there at the end is removed. Raises OSError.
    """
    folder, descriptor = _guarded(home)
    try:
        yield folder
    finally:
        _clear(folder, descriptor)


def sweep(home: Path) -> None:
    """Remove all that is in a folder of guarded folders and belongs to no living process."""
    with suppress(OSError):
        names = {path.name.removesuffix(_LOCK) for path in home.iterdir()}
        for name in sorted(names):
            folder = home / name
            with suppress(OSError):  # a name that is too long for a lock was never ours
                descriptor = try_lock(_guard(folder))
                if descriptor is not None:
                    _clear(folder, descriptor)


def work_folder() -> Path:
    """Return this process's folder for temporary files, which programs have for a home as well.

    It is made when it is first asked for, and shared with workers of ours. Where the cache can't
    be written, it lies in /tmp.
    """
    shared = Path(os.environ.get(WORK, "/nowhere"))
    if shared.is_dir():
        return shared
    home = cache_folder() / "scratch" / "work"
    try:
        own_folder(home.parent)
        own_folder(home)
        sweep(home)
        folder, descriptor = _guarded(home)
    except (OSError, HostError):
        folder = Path(tempfile.mkdtemp(prefix="ccis-", dir="/tmp"))
        descriptor = None
    os.environ[WORK] = str(folder)
    owner = os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # and not a fork
            _clear(folder, descriptor)

    atexit.register(end)
    return folder


def _guarded(home: Path) -> tuple[Path, int]:
    """Make a folder and the lock that says that somebody works in it: the lock first."""
    while True:
        folder = home / secrets.token_hex(4)
        descriptor = try_lock(_guard(folder))
        if descriptor is not None:  # else a sweep has just come by
            break
    try:
        return own_folder(folder), descriptor
    except BaseException:
        _clear(folder, descriptor)
        raise


def _guard(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _clear(folder: Path, descriptor: int | None) -> None:
    """Remove a folder and its lock, also if a signal comes in between: it is raised afterwards."""
    try:
        try:
            _remove(folder)
        except BaseException:
            _remove(folder)
            raise
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _remove(folder: Path) -> None:
    try:
        remove_tree(folder)
        _guard(folder).unlink(missing_ok=True)
    except OSError as error:  # the next sweep will try again
        log.debug("%s is left behind: %s", folder, error)
