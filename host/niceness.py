"""How much a thread gives way to others; what it starts inherits that (nice(1))."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CONVERSION = 10
"""Conversions use all processors that are left; what they wait for comes first."""

CHECKSUM = 5
"""No other processor can help with the checksum of a large file, so it goes before compressors,
which can use what it leaves."""

BEHIND = 19
"""Work for later runs."""


def give_way(niceness: int) -> None:
    """Have this thread give way, from now on."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread,
                   max(os.getpriority(os.PRIO_PROCESS, thread), niceness))


@contextmanager
def giving_way_less(niceness: int) -> Iterator[None]:
    """Have this thread give way no more than so, in the block, where it may (CAP_SYS_NICE)."""
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    own = os.getpriority(os.PRIO_PROCESS, os.getpid())  # that of the process as it was started
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, min(before, max(own, niceness)))
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, thread, before)
