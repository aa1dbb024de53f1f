"""The tree inside an image as data: what is where, whose, with which rights and label."""

from __future__ import annotations

import posixpath
import stat
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from host.errors import InputError
from specs.globs import compiled, fixed_prefix

LINKS_MAX = 40
"""As many symbolic links as Linux follows before it says ELOOP (path_resolution(7))."""

FIND_FORMAT = r"%y\0%m\0%U\0%G\0%s\0%T@\0%Z\0%P\0%l\0"
"""What find(1) prints for each file, as `parse` reads it: no name can break out of its field."""

_FIELDS = 9
_FILES_MAX = 1_000_000
_TYPES = {
    "f": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK, "c": stat.S_IFCHR,
    "b": stat.S_IFBLK, "p": stat.S_IFIFO, "s": stat.S_IFSOCK,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One name in the image. mode holds the type bits as well; label: "" when there is none."""

    path: str
    mode: int
    uid: int = 0
    gid: int = 0
    size_bytes: int = 0
    target: str = ""
    label: str = ""
    mtime_s: int = 0

    @property
    def is_file(self) -> bool:
        """A regular file, not a link to one."""
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """A folder, not a link to one."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """A symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def permissions(self) -> str:
        """The permission bits as a spec writes them, such as "0640"."""
        return f"{stat.S_IMODE(self.mode):04o}"

    @property
    def selinux_type(self) -> str:
        """The type in the label user:role:type:level, or "" when there is none."""
        parts = self.label.split(":")
        return parts[2] if len(parts) > 2 else ""


class Listing:
    """All names of an image. Paths begin with / and are never followed outside of it."""

    def __init__(self, entries: Iterable[Node]) -> None:
        self._entries = {entry.path: entry for entry in entries}
        self._sorted = sorted(self._entries)

    def __iter__(self) -> Iterator[Node]:
        return (self._entries[path] for path in self._sorted)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, path: str) -> Node | None:
        """Return what is at exactly this path, a link itself rather than its end."""
        return self._entries.get(path)

    def find(self, pattern: str) -> list[Node]:
        """Return what matches a pattern (specs/globs.py), in the order of the paths."""
        prefix = fixed_prefix(pattern)
        if prefix == pattern:
            entry = self._entries.get(pattern)
            return [entry] if entry else []
        matches = compiled(pattern).match
        found = []
        for number in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            path = self._sorted[number]
            if not path.startswith(prefix):
                break
            if matches(path):
                found.append(self._entries[path])
        return found

    def children(self, folder: str) -> list[Node]:
        """Return what lies directly in a folder (the path of a real folder, not of a link)."""
        return self.find(f"{folder.rstrip('/')}/*")

    def resolve(self, path: str) -> Node | None:
        """Return what a process inside the image finds at a path; None: nothing, or a loop."""
        waiting = [part for part in path.split("/") if part][::-1]
        here, links = "/", 0
        while waiting:
            part = waiting.pop()
            if part == ".":
                continue
            if part == "..":
                here = posixpath.dirname(here)
                continue
            entry = self._entries.get(posixpath.join(here, part))
            if entry is None:
                return None
            if not entry.is_link:
                here = entry.path
                continue
            links += 1
            if links > LINKS_MAX:
                return None
            if entry.target.startswith("/"):
                here = "/"
            waiting += [step for step in entry.target.split("/") if step][::-1]
        return self._entries.get(here)


def parse(listing: bytes) -> Listing:
    """Return the tree that `find -printf FIND_FORMAT` printed.

    Raises InputError when it isn't such a listing, as when the file system broke on the way.
    """
    if listing.count(b"\0") > _FILES_MAX * _FIELDS:
        raise InputError(f"the image holds more than {_FILES_MAX} files")
    fields = listing.decode(errors="surrogateescape").split("\0")
    if fields.pop() or len(fields) % _FIELDS:
        raise InputError("the listing of the image's files is cut off")
    return Listing(_entry(fields[at:at + _FIELDS]) for at in range(0, len(fields), _FIELDS))


def _entry(fields: list[str]) -> Node:
    kind, mode, uid, gid, size, changed, label, path, target = fields
    try:
        return Node(
            f"/{path}", _TYPES.get(kind, 0) | int(mode, 8), int(uid), int(gid), int(size),
            target, label.rstrip("\0"), int(changed.partition(".")[0]),
        )
    except ValueError as error:
        raise InputError("the listing of the image's files is broken", why=str(error)) from error
