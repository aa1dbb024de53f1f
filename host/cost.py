"""What a piece of work costs: the processor time of this thread and of the programs it ran."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Cost:
    """Filled when the block of `measured` ends. cpu_s: of all processors together."""

    duration_s: float = 0.0
    cpu_s: float = 0.0


class _Spent(threading.local):
    programs_s: float = 0.0


_spent = _Spent()


def add(cpu_s: float) -> None:
    """Count the processor time of a program that this thread has run to its end."""
    _spent.programs_s += cpu_s


@contextmanager
def measured() -> Iterator[Cost]:
    """Yield a Cost that holds, after the block, what the block took."""
    cost = Cost()
    began_s, programs_s, own_s = time.monotonic(), _spent.programs_s, time.thread_time()
    try:
        yield cost
    finally:
        cost.duration_s = time.monotonic() - began_s
        cost.cpu_s = _spent.programs_s - programs_s + time.thread_time() - own_s
