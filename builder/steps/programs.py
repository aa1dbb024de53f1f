"""Versions of the host's programs and libraries that decide bytes, for the digests of steps.

A program is asked once: what it answered is kept with its file's size and time, because a plan
that changes nothing must take half a second, and rpm alone takes a tenth of one to start.
"""

from __future__ import annotations

import ctypes.util
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from host.errors import CcisError
from host.files import write_atomically
from host.places import cache_folder
from host.run import run

_KEPT = "versions.json"
_FLAGS = {"mke2fs": "-V", "mkfs.xfs": "-V", "setfiles": ""}
"""How a program is asked that does not know --version; nothing: its file stands for it."""

MISSING = "missing"


@cache
def version_of(name: str) -> str:
    """Return what tells one version of a program or library from another; "missing" without it.

    name: a program on PATH, a library's file name (libcrypt.so.1), or one of the special names
    "dnf" (the Python library) and "sqlite" (the one that Python is linked with).
    """
    if name in _SPECIAL:
        return _SPECIAL[name]()
    place = _library(name) if ".so" in name else shutil.which(name)
    if place is None:
        return MISSING
    path = Path(place).resolve()
    status = path.stat()
    key = f"{path} {status.st_size} {status.st_mtime_ns}"
    if key not in _known():
        _known()[key] = _ask(name, path)
        with suppress(CcisError):
            write_atomically(cache_folder() / _KEPT, json.dumps(_known()), mode=0o600)
    return _known()[key]


def _ask(name: str, path: Path) -> str:
    flag = _FLAGS.get(name, "--version")
    if ".so" in name or not flag:
        status = path.stat()
        return f"{path.name}, {status.st_size} bytes"
    done = run([str(path), flag], check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    return said[0] if said else "unknown"


def _library(name: str) -> str | None:
    folders = ("/usr/lib64", "/lib64", *map(str, Path("/usr/lib").glob("*-linux-gnu")), "/usr/lib")
    return next((f"{folder}/{name}" for folder in folders if Path(folder, name).exists()),
                ctypes.util.find_library(name.partition(".")[0].removeprefix("lib")))


def _dnf() -> str:
    """Return dnf's version without importing it, which takes a third of a second."""
    spec = find_spec("dnf")
    if spec is None or not spec.submodule_search_locations:
        return MISSING
    text = (Path(spec.submodule_search_locations[0]) / "const.py").read_text(encoding="utf-8")
    found = re.search(r"VERSION\s*=\s*['\"]([^'\"]+)['\"]", text)
    return found[1] if found else "unknown"


_SPECIAL: dict[str, Callable[[], str]] = {"dnf": _dnf, "sqlite": lambda: sqlite3.sqlite_version}


@cache
def _known() -> dict[str, str]:
    with suppress(OSError, ValueError):
        kept = json.loads((cache_folder() / _KEPT).read_text(encoding="utf-8"))
        if isinstance(kept, dict):
            return {str(key): str(value) for key, value in kept.items()}
    return {}
