"""Tells whether anybody opened or touched a file: inotify(7), so that every program is seen."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# <linux/inotify.h>
OPENED = 0x20
ANYTHING = 0xFFF
_NAMES = ("read", "changed", "attributes", "closed after writing", "closed", "opened", "moved away",
          "moved here", "made", "removed", "itself removed", "itself moved")
_HEADER = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """What happens to files and to the names in folders, from the moment that they are added."""

    def __init__(self) -> None:
        self._descriptor: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._descriptor >= 0
        self._paths: dict[int, Path] = {}

    def add(self, path: Path, events: int, shown: Path | None = None) -> None:
        """Watch a file, or a folder and what is directly in it; of a link, what it leads to.

        shown: how seen() calls it, if not by its path.
        """
        number = _libc.inotify_add_watch(self._descriptor, os.fsencode(path), events)
        assert number >= 0, os.strerror(ctypes.get_errno())
        self._paths[number] = shown or path

    def seen(self) -> list[str]:
        """Return what has happened since the last time, such as "opened: /folder/file"."""
        found = []
        while content := self._pending():
            at = 0
            while at < len(content):
                number, events, _, length = _HEADER.unpack_from(content, at)
                name = content[at + _HEADER.size:at + _HEADER.size + length].rstrip(b"\0")
                at += _HEADER.size + length
                found += [f"{said}: {self._paths[number] / os.fsdecode(name)}"
                          for bit, said in enumerate(_NAMES) if events >> bit & 1]
        return found

    def close(self) -> None:
        """Watch nothing any more."""
        os.close(self._descriptor)

    def _pending(self) -> bytes:
        try:
            return os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return b""


@contextmanager
def nobody_opens(*paths: Path) -> Iterator[None]:
    """Fail at the end of the block if one of these files was opened meanwhile, by anybody."""
    watch = Watch()
    try:
        for path in paths:
            watch.add(path, OPENED)
        yield
        assert watch.seen() == []
    finally:
        watch.close()
