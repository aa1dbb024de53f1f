"""Shared by all tests: a clean room, and several at once, but for those that want to be alone.

The room is clean as far as that needs no new interpreter.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from host import clean_room

_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID")
clean_room.settle()


@pytest.fixture(autouse=True)
def _among_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test with the mark `alone` wait until no other runs, and the others wait for it.

    The kernel drops the lock of a worker that dies; what a worker forks, such as libguestfs's
    recovery process, does not inherit it (fcntl(2), record locks). Without workers there is nothing
    to wait for.
    """
    if _RUN is None:
        yield
        return
    with Path(f"/tmp/ccis-tests-{_RUN}.lock").open("a+") as lock:
        alone = request.node.get_closest_marker("alone") is not None
        fcntl.lockf(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
