"""The key of a store: what makes a digest that covers a secret worthless outside of it.

A digest of a kickstart's `rootpw --plaintext geheim` by a plain hash function can be tried out by
whoever reads it, in build.json or in the store. So what holds secrets is digested with a key that
is drawn once for each store and stays in it: equal builds in one store have equal digests, in two
stores they have not.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from host.errors import HostError, InputError, from_os_error
from host.files import read_regular

FILE = "secret.key"
_BYTES = 32


def store_key(root: Path) -> bytes:
    """Return the key of the store in a folder; it is made, mode 0600, when first asked for.

    Raises HostError when it can't be read or made, or is no such key.
    """
    path = root / FILE
    try:
        with suppress(FileNotFoundError):
            return _checked(path)
        _make(path)
        return _checked(path)
    except OSError as error:
        raise from_os_error(error, f"reading the store's key {path}") from error


def _checked(path: Path) -> bytes:
    status = path.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o7777 != 0o600:
        raise _damaged(path, "another user may have read it")
    try:
        key = read_regular(path, _BYTES + 1)
    except InputError as error:
        raise _damaged(path, error.what) from error
    if len(key) != _BYTES:
        raise _damaged(path, f"it has not {_BYTES} bytes")
    return key


def _make(path: Path) -> None:
    """Draw a key; of several processes that do so at once, one wins and all read the winner's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def _damaged(path: Path, why: str) -> HostError:
    return HostError("the store's key can't be used", where=str(path), why=why,
                     remedy=f"rm {path}: what depends on secrets is made anew then")
