"""Folders for work in progress that are swept even when their owner was killed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host.errors import from_os_error
from host.locks import try_lock
from host.places import cache_folder


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield a new folder below the cache that only this user may enter, and remove it at the end.

    Each is guarded by a lock that the kernel drops with its owner; what killed processes left
    is removed when the next one asks for a folder of the same purpose. Raises HostError when
    the cache can't be written.
    """
    home = cache_folder() / "scratch" / purpose
    try:
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        folder = home / secrets.token_hex(4)
        guard = folder.with_suffix(".lock")
        descriptor = try_lock(guard)
        assert descriptor is not None
    except OSError as error:
        raise from_os_error(error, f"making a folder in {home}") from error
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        guard.unlink(missing_ok=True)
        os.close(descriptor)


def _sweep(home: Path) -> None:
    for guard in home.glob("*.lock"):
        descriptor = try_lock(guard)
        if descriptor is not None:
            shutil.rmtree(guard.with_suffix(""), ignore_errors=True)
            guard.unlink(missing_ok=True)
            os.close(descriptor)
