"""What goes when a store is full: what is no result, then the least recently used."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from builder.store.entries import RECORD, known_size, last_use
from builder.store.shelves import Shelves
from host.beneath.remove import remove_tree
from host.folders import is_real_folder
from host.locks import try_lock

log = logging.getLogger("ccis.store")


def evict(shelves: Shelves, limit_bytes: int) -> int:
    """Remove what has no record, then the least recently used, which nobody reads, until the rest
    fits; return the bytes of what is left."""
    waiting: list[tuple[float, int, Path]] = []
    for path in shelves.results():
        size_bytes = known_size(path)
        if size_bytes is None:
            discard(shelves, path)
        else:
            waiting.append((last_use(path), size_bytes, path))
    total = sum(size_bytes for _, size_bytes, _ in waiting)
    for _, size_bytes, path in sorted(waiting):
        if total <= limit_bytes:
            break
        if discard(shelves, path):
            total -= size_bytes
    return total


def discard(shelves: Shelves, path: Path) -> bool:
    """Remove something below objects/ that nobody reads; say whether it is gone."""
    try:
        lock_file = shelves.lock(path.parent.name, path.name, "reading")
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
