"""What a path pattern of a spec matches: in a listing (validator) and in a folder (builder)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for a pattern of paths; raises ValueError for a bad one.

    `*` and `?` match within one part of the path, names with a leading dot included (a leftover
    is a leftover), `[…]` one character, and a part `**` any number of folders; at the end of a
    pattern it means everything below. Symbolic links on the way are never followed.
    """
    parts = pattern.lstrip("/").split("/")
    text = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            text += "/.+" if last else "(?:/[^/]+)*"
        elif "**" in part:
            raise ValueError(f"{pattern!r}: ** must be a whole part of the path")
        else:
            text += "/" + _part(part, pattern)
    return re.compile(text + r"\Z", re.DOTALL)


def fixed_prefix(pattern: str) -> str:
    """Return how every path that the pattern matches begins."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


def is_pattern(path: str) -> bool:
    """Tell whether a path of a spec may match more than one path of an image."""
    return fixed_prefix(path) != path


def find(root: Path, pattern: str) -> list[Path]:
    """Return what matches under the folder `root`, deepest last, without following any link."""
    matches = compiled(pattern)
    start = fixed_prefix(pattern)
    if start == pattern:
        place = root / pattern.lstrip("/")
        return [place] if os.path.lexists(place) and _real(root, place.parent) else []
    folder = root / start.rpartition("/")[0].lstrip("/")
    if not folder.is_dir() or not _real(root, folder):
        return []
    found = (path for path in _below(folder) if matches.match(f"/{path.relative_to(root)}"))
    return sorted(found)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            yield Path(parent, name)


def _real(root: Path, folder: Path) -> bool:
    """Tell whether the way from `root` to `folder` has no symbolic link, so can't leave it."""
    while folder != root:
        if folder.is_symlink():
            return False
        folder = folder.parent
    return True


def _part(part: str, pattern: str) -> str:
    text, position = "", 0
    while position < len(part):
        letter = part[position]
        position += 1
        if letter == "*":
            text += "[^/]*"
        elif letter == "?":
            text += "[^/]"
        elif letter == "[":
            end = part.find("]", position + 1)
            if end < 0:
                raise ValueError(f"{pattern!r}: [ without ]")
            inside = part[position:end].replace("\\", "\\\\")
            text += "(?!/)[" + ("^" + inside[1:] if inside[0] == "!" else inside) + "]"
            position = end + 1
        else:
            text += re.escape(letter)
    return text
