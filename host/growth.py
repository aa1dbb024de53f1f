"""How much folders grow: looked at cheaply all the time, counted when it could be too much."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from host.errors import HostError
from host.run import run

RESERVE_BYTES = 256 << 20
"""What is left free of the host's disk, so that what else runs there goes on."""

_TIMEOUT_S = 120
_NOTHING_BYTES = 1 << 20  # with less, a program's next write fails, or the one before did
_NOTHING_FILES = 16


class Growth:
    """Bounds on what lies in some folders.

    The file system's own count of free space and files is nearly free to ask for, but others write
    there, too; so the folders are counted (du(1)) only when that count has moved by as much as
    the bound, and again each time that it has moved by a quarter more.
    """

    def __init__(self, folders: Sequence[Path], space_bytes: int, files: int) -> None:
        """Note what is free now."""
        self._folders = list(folders)
        self._start = {folder: os.statvfs(folder) for folder in folders}
        free_bytes = [each.f_bavail * each.f_frsize for each in self._start.values()]
        room_bytes = min((max(free - RESERVE_BYTES, free // 2) for free in free_bytes),
                         default=space_bytes)
        self._is_scarce = room_bytes < space_bytes
        self._space_bytes, self._files = min(space_bytes, room_bytes), files
        self._look_at_bytes, self._look_at_files = self._space_bytes, files

    def broken(self, unlinked_bytes: Callable[[], int]) -> str | None:
        """Return "space_bytes" or "files" when that bound is broken now, "room" when it is the
        host's disk that has no more, "full" when there is nothing left of it, whoever took it.

        unlinked_bytes: says what files without a name take.
        """
        space_bytes = files = 0
        for folder, start in self._start.items():
            now = os.statvfs(folder)
            if _is_full(now):
                return "full"
            space_bytes += max(0, (start.f_bfree - now.f_bfree) * start.f_frsize)
            files += max(0, start.f_ffree - now.f_ffree)
        if space_bytes > self._look_at_bytes:
            if self._counted("--block-size=1") + unlinked_bytes() > self._space_bytes:
                return "room" if self._is_scarce else "space_bytes"
            self._look_at_bytes = space_bytes + self._space_bytes // 4
        if files > self._look_at_files:
            if self._counted("--inodes") > self._files:
                return "files"
            self._look_at_files = files + self._files // 4
        return None

    def at_end(self, *, failed: bool, said: Iterable[str]) -> str | None:
        """Return "full" when a program that has ended may have lacked room on the host's disk.

        That is so when nothing is left, whatever its exit status: it may have gone on without what
        it could not write. And when it failed and said so, where less was free at the start than
        it may use: elsewhere (a disk or file system of its own) it is its own affair.
        """
        if any(_is_full(os.statvfs(folder)) for folder in self._folders):
            return "full"
        words = os.strerror(errno.ENOSPC)
        if failed and self._is_scarce and any(words in line for line in said):
            return "full"
        return None

    def _counted(self, unit: str) -> int:
        total = 0
        for folder in self._folders:
            try:
                said = run(["du", "-sx", unit, folder], check=False, timeout_s=_TIMEOUT_S).stdout
                total += int(said.split()[0])
            except (HostError, ValueError, IndexError):
                return self._space_bytes + self._files + 1  # so many that they can't be counted
        return total


def _is_full(now: os.statvfs_result) -> bool:
    """Say whether nothing is left, for root; some file systems count no files."""
    return (now.f_bfree * now.f_frsize < _NOTHING_BYTES
            or bool(now.f_files and now.f_ffree < _NOTHING_FILES))
