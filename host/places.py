"""Where ccis keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder for all that can be made again: CCIS_CACHE, or the user's own cache."""
    if named := os.environ.get("CCIS_CACHE"):
        return Path(named).absolute()
    return Path("/var/cache/ccis") if os.geteuid() == 0 else Path.home() / ".cache/ccis"


def store_folder() -> Path:
    """Return the folder of the store: CCIS_STORE, or one in the cache."""
    if named := os.environ.get("CCIS_STORE"):
        return Path(named).absolute()
    return cache_folder() / "store"
