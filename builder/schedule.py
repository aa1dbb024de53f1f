"""Runs tasks as soon as what they start from is there, as many at once as the processors bear."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from host.run import kill_all

CONVERSION_NICENESS = 10
"""Conversions use all processors that are left; what they wait for comes first (nice(1))."""


@dataclass(frozen=True)
class Task:
    """One piece of work. after: the keys of the tasks whose results it needs.

    conversion: it is of no use to another task's tree or disk, so it can wait, and its programs
    use all processors by themselves.
    """

    key: Hashable
    after: Sequence[Hashable]
    work: Callable[[], None]
    conversion: bool = False


def execute(tasks: Iterable[Task]) -> None:
    """Run every task, in the order of their needs; return when all are done.

    The first failure stops everything: programs that run for other tasks are killed, those tasks
    clean up, and the failure is raised.
    """
    waiting = {task.key: task for task in tasks}
    cores = os.cpu_count() or 1
    running: dict[Future[None], Task] = {}
    done: set[Hashable] = set()
    with (
        ThreadPoolExecutor(max_workers=cores) as makers,
        ThreadPoolExecutor(max_workers=cores + 1, initializer=_be_nice) as converters,
    ):
        try:
            while waiting or running:
                for task in [each for each in waiting.values() if done.issuperset(each.after)]:
                    del waiting[task.key]
                    pool = converters if task.conversion else makers
                    running[pool.submit(task.work)] = task
                assert running, f"tasks that wait for each other or for none: {list(waiting)}"
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    done.add(running.pop(future).key)
        except BaseException:
            for future in running:
                future.cancel()
            _stop(running)
            raise


def _stop(running: Iterable[Future[None]]) -> None:
    """Have what still runs fail: a task may start one more program before it notices."""
    left = {future for future in running if not future.done()}
    while left:
        kill_all()
        _, left = wait(left, timeout=0.2)


def _be_nice() -> None:
    """Give way to what makes trees and disks; programs inherit it from their thread."""
    thread = threading.get_native_id()
    own = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, max(own, CONVERSION_NICENESS))
