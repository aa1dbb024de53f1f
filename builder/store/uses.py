"""Which images a result is part of: for each an empty file, by its label, in its folder `uses`."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from host.beneath.root import Root
from host.errors import CcisError

_USES = "uses"
_NAME_BYTES_MAX = 200


def note_use(path: Path, label: str) -> None:
    """Note that a result is part of what `label` is; one that was evicted is left alone."""
    root = Root(path)
    with suppress(OSError, CcisError):
        if not root.is_folder(f"/{_USES}", follow=False):
            root.remove(f"/{_USES}")
            root.make_folder(f"/{_USES}")
        root.write(f"/{_USES}/{_name(label)}", b"")


def last_use_by(path: Path, label: str) -> float | None:
    """Return when that was noted last, in seconds since 1970; None if it never was."""
    try:
        return (path / _USES / _name(label)).lstat().st_mtime
    except OSError:
        return None


def _name(label: str) -> str:
    return short_name(quote(label, safe=" "))


def short_name(name: str) -> str:
    """Return a name that a file can have: a long one ends in its digest."""
    raw = os.fsencode(name)
    if len(raw) <= _NAME_BYTES_MAX:
        return name
    digest = hashlib.sha256(raw).hexdigest()
    return f"{raw[:_NAME_BYTES_MAX - len(digest)].decode(errors='replace')[:100]}{digest}"
