"""Where the repository is kept, and whether what is there is still what would be made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from host.errors import InputError
from host.places import cache_folder
from rehearsal.version import RELEASES

SOURCE = Path(__file__).parent
APT_LISTS = Path("/var/lib/apt/lists")
MANIFEST = "rehearsal.json"


def root() -> Path:
    """Return the folder of everything we keep: `rehearsal` in CCIS_CACHE or the user's cache."""
    return cache_folder().absolute() / "rehearsal"


def path(release: str) -> Path | None:
    """Return the repository of a release, None if it was not made yet.

    Raises InputError when there is no such release.
    """
    check(release)
    folder = root() / release
    return folder if (folder / MANIFEST).is_file() else None


def check(release: str) -> None:
    """Raise InputError unless `release` is one of ours."""
    if release not in RELEASES:
        raise InputError(f"there is no release {release}",
                         remedy=f"the rehearsal releases are {', '.join(RELEASES)}")


def source_digest(*patterns: str) -> str:
    """Return a digest of those files of this folder that match; all of them without a pattern."""
    digest = hashlib.sha256()
    found = {path for pattern in patterns or ("**/*",) for path in SOURCE.glob(pattern)}
    for file in sorted(found):
        if file.is_symlink():
            digest.update(f"{file.relative_to(SOURCE)} -> {file.readlink()}\n".encode())
        elif file.is_file() and "__pycache__" not in file.parts:
            content = file.read_bytes()
            executable = file.stat().st_mode & 0o100
            digest.update(f"{file.relative_to(SOURCE)} {executable} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def lists_digest() -> str:
    """Return a digest of the names, sizes and times of apt's lists, without reading them.

    It is empty when there are none.
    """
    lists = sorted(APT_LISTS.glob("*_Packages*"))
    lines = [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in lists]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def manifest(release: str) -> dict[str, Any] | None:
    """Return what a made repository says about its inputs, None if there is none."""
    try:
        content: dict[str, Any] = json.loads((root() / release / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return content


def is_current(release: str) -> bool:
    """Tell whether the repository there was made from the code, table and apt lists of now.

    Where apt's lists were deleted meanwhile, nothing newer can be known of.
    """
    known = manifest(release)
    if known is None or known.get("source") != source_digest():
        return False
    return lists_digest() in ("", known.get("lists"))
