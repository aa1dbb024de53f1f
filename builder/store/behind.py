"""Work behind the back of a build: a gentle thread, which ends what it was given before we end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from host.errors import CcisError
from host.niceness import BEHIND, give_way

log = logging.getLogger("ccis.store")


class Behind:
    """A queue of work on results; what goes wrong with one costs that result alone."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: set[Future[None]] = set()

    def do(self, work: Callable[[], None], then: Callable[[], None] = lambda: None) -> None:
        """Have work done some time; `then` is called after it, whatever came of it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, initializer=give_way, initargs=(BEHIND,))
        future = self._pool.submit(_guarded, work, then)
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)

    def wait(self) -> None:
        """Return when all work is done."""
        wait(tuple(self._waiting))


def _guarded(work: Callable[[], None], then: Callable[[], None]) -> None:
    try:
        work()
    except (OSError, CcisError) as error:  # a full disk, say: the next run makes it again
        log.warning("a result can't be kept: %s", error)
    finally:
        then()
