"""What a path pattern of a spec matches: in a listing (validator) and in a tree (builder)."""

from __future__ import annotations

import errno
import re
from functools import lru_cache

from host.beneath.root import Root
from host.beneath.walk import NOT_THERE, look, walk

_FOLDERS = "(?:/[^/]+)"
_END = r"(?=/|\Z)"


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for a pattern of paths; raises ValueError for a bad one.

    `*` and `?` match within one part of the path, names with a leading dot included (a leftover
    is a leftover), `[…]` one character, and a part `**` any number of folders; at the end of a
    pattern it means everything below. Symbolic links on the way are never followed.

    An image can bring patterns (sshd's Include) and paths, so neither may make a match slow: the
    first place where what stands between two `*`, or two `**`, fits is as good as any later one,
    and the groups are atomic, so that none is tried. Names that are not UTF-8 match, too, which
    is why this is not RE2's work.
    """
    segments: list[list[str]] = [[]]
    for part in pattern.lstrip("/").split("/"):
        if part == "**":
            segments.append([])
        elif "**" in part:
            raise ValueError(f"{pattern!r}: ** must be a whole part of the path")
        else:
            segments[-1].append(_part(part, pattern))
    first, *between = ["".join(f"/{part}{_END}" for part in parts) for parts in segments]
    last = between.pop() if between else None
    text = first + "".join(f"(?>{_FOLDERS}*?{segment})" for segment in between)
    if last is not None:
        text += f"{_FOLDERS}*{last}" if last else "/.+"
    try:
        return re.compile(text + r"\Z", re.DOTALL)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a pattern: {error}") from error


def fixed_prefix(pattern: str) -> str:
    """Return how every path that the pattern matches begins."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


def is_pattern(path: str) -> bool:
    """Tell whether a path of a spec may match more than one path of an image."""
    return fixed_prefix(path) != path


def find(root: Root, pattern: str) -> list[str]:
    """Return the paths that match in a tree, a folder before what is in it; no link is followed."""
    matches = compiled(pattern)
    start = fixed_prefix(pattern)
    above, _, name = start.rpartition("/")
    try:
        with root.folder(above or "/", links=False) as folder:
            if start == pattern:
                return [pattern] if look(folder, name) else []
            return [found.path for found in walk(folder, above) if matches.match(found.path)]
    except OSError as error:
        if error.errno in (*NOT_THERE, errno.ELOOP):
            return []
        raise


def _part(part: str, pattern: str) -> str:
    """Return the expression for one part of a pattern; each piece before the last is atomic."""
    pieces, position = [""], 0
    while position < len(part):
        letter = part[position]
        position += 1
        if letter == "*":
            pieces.append("")
        elif letter == "?":
            pieces[-1] += "[^/]"
        elif letter == "[":
            end = part.find("]", position + 1)
            if end < 0:
                raise ValueError(f"{pattern!r}: [ without ]")
            pieces[-1] += "(?!/)" + _letters(part[position:end])
            position = end + 1
        else:
            pieces[-1] += re.escape(letter)
    first, *between = pieces
    last = "[^/]*" + between.pop() if between else ""
    return first + "".join(f"(?>[^/]*?{piece})" for piece in between) + last


def _letters(inside: str) -> str:
    """Return the expression for what stands between [ and ], in which only ! and - mean a thing."""
    negated = inside[0] in "!^" and len(inside) > 1
    listed = inside[negated:]
    text, position = "", 0
    while position < len(listed):
        if listed[position + 1:position + 2] == "-" and position + 2 < len(listed):
            text += f"{re.escape(listed[position])}-{re.escape(listed[position + 2])}"
            position += 3
        else:
            text += re.escape(listed[position])
            position += 1
    return f"[{'^' * negated}{text}]"
