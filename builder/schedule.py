"""Runs tasks as soon as what they start from is there, as many at once as the processors bear."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from host.niceness import CONVERSION, give_way
from host.run import kill_all


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


def execute(tasks: Iterable[Task], stopping: threading.Event | None = None) -> None:
    """Run every task, in the order of their needs; return when all are done.

    The first failure stops everything: programs that run for other tasks are killed, those tasks
    clean up, and the failure is raised. stopping: set then, for work that is no program's.
    """
    waiting = {task.key: task for task in tasks}
    cores = os.cpu_count() or 1
    limits = {False: cores, True: cores + 1}
    running: dict[Future[None], Task] = {}
    done: set[Hashable] = set()
    with (
        ThreadPoolExecutor(max_workers=limits[False]) as makers,
        ThreadPoolExecutor(max_workers=limits[True], initializer=give_way,
                           initargs=(CONVERSION,)) as converters,
    ):
        pools = {False: makers, True: converters}
        try:
            while waiting or running:
                for task in _ready(waiting, running.values(), done, limits):
                    del waiting[task.key]
                    running[pools[task.conversion].submit(task.work)] = task
                assert running, f"tasks that wait for each other or for none: {list(waiting)}"
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    done.add(running.pop(future).key)
        except BaseException:
            if stopping:
                stopping.set()
            for future in running:
                future.cancel()
            _stop(running)
            raise


def _ready(
    waiting: dict[Hashable, Task], running: Collection[Task], done: set[Hashable],
    limits: dict[bool, int],
) -> list[Task]:
    """Return the tasks to start now, the first ones first.

    No more than there are workers: a task of the first image that is ready a moment later goes
    before the last image's, so that the longest chain of work is not the last to end.
    """
    free = {kind: limit - sum(task.conversion is kind for task in running)
            for kind, limit in limits.items()}
    chosen = []
    for task in waiting.values():
        if free[task.conversion] > 0 and done.issuperset(task.after):
            free[task.conversion] -= 1
            chosen.append(task)
    return chosen


def _stop(running: Iterable[Future[None]]) -> None:
    """Have what still runs fail: a task may start one more program before it notices."""
    left = {future for future in running if not future.done()}
    while left:
        kill_all()
        _, left = wait(left, timeout=0.2)
