"""What goes when a store is full: what is no result, then the least recently used."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from builder.entries import RECORD, known_size, last_use
from host.beneath.remove import remove_tree
from host.folders import is_real_folder
from host.locks import try_lock

if TYPE_CHECKING:
    from builder.store import Store

log = logging.getLogger("ccis.store")


def evict(store: Store) -> int:
    """Remove what has no record, then the least recently used, which nobody reads, until the rest
    fits; return the bytes of what is left."""
    waiting: list[tuple[float, int, Path]] = []
    for path in store.paths():
        size_bytes = known_size(path)
        if size_bytes is None:
            discard(store, path)
        else:
            waiting.append((last_use(path), size_bytes, path))
    total = sum(size_bytes for _, size_bytes, _ in waiting)
    for _, size_bytes, path in sorted(waiting):
        if total <= store.limit_bytes:
            break
        if discard(store, path):
            total -= size_bytes
    return total


def discard(store: Store, path: Path) -> bool:
    """Remove something below objects/ that nobody reads; say whether it is gone."""
    try:
        lock_file = store.lock(path.parent.name, path.name, "reading")
        descriptor = try_lock(lock_file)
        if descriptor is None:
            return False
        try:
            remove_result(path)
            lock_file.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    except OSError as error:  # a full disk, say; the others may go all the same
        log.debug("%s stays: %s", path, error)
        return False
    return True


def remove_result(path: Path) -> None:
    """Remove a result, its record first: half of it is none. Raises OSError."""
    if is_real_folder(path):
        remove_tree(path / RECORD)
    remove_tree(path)
