"""Tells whether anybody opened a file: inotify(7), so that every program is seen."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_OPEN = 0x20
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def nobody_opens(*paths: Path) -> Iterator[None]:
    """Fail at the end of the block if one of these files was opened meanwhile, by anybody."""
    descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    try:
        for path in paths:
            assert _libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_OPEN) >= 0
        yield
        try:
            events = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            events = b""
        assert not events, f"one of {', '.join(map(str, paths))} was opened"
    finally:
        os.close(descriptor)
