"""Does a piece of work for many items at once, and hands on the results in their order."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from host import cost

T = TypeVar("T")
R = TypeVar("R")


def ordered(
    work: Callable[[T], R], items: Iterable[T], *, memory_bytes: int = 0,
) -> Iterator[R]:
    """Yield work(item) for each item, in order; as many at once as there are processors.

    The work must leave the interpreter's lock alone most of the time, as the compressors do.
    memory_bytes: what one piece of work takes; the free memory then bounds how many are at once.
    Items are taken only shortly before their turn. The processor time counts as the caller's.
    """
    workers = _workers(memory_bytes)
    waiting: deque[Future[tuple[R, float]]] = deque()

    def timed(item: T) -> tuple[R, float]:
        began_s = time.thread_time()
        return work(item), time.thread_time() - began_s

    def taken() -> R:
        result, spent_s = waiting.popleft().result()
        cost.add(spent_s)
        return result

    # Threads are started by the one that calls, and so are as nice as it is.
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(timed, item))
                if len(waiting) > 2 * workers:
                    yield taken()
            while waiting:
                yield taken()
        finally:
            for future in waiting:
                future.cancel()


def _workers(memory_bytes: int) -> int:
    """Return how many pieces of work run at once; they may take half of the free memory."""
    processors = len(os.sched_getaffinity(0))
    if not memory_bytes:
        return processors
    return max(1, min(processors, _available_bytes() // 2 // memory_bytes))


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 1 << 30
