"""Shared by all tests: a clean room, several at once, but for those that want to be alone.

The room is clean as far as that needs no new interpreter. What a passed test made is removed when
it ends, because images are large; by us, as pytest's own removal ends at a thousand folders deep.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from host import clean_room
from host.beneath.remove import remove_tree

_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID")
_HAS_PASSED = pytest.StashKey[bool]()
clean_room.settle()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_HAS_PASSED] = report.passed
    return report


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """pytest's own, emptied when the test has passed."""
    yield tmp_path
    if request.node.stash.get(_HAS_PASSED, False):
        for path in tmp_path.iterdir():
            with suppress(OSError):
                remove_tree(path)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Remove what killed runs have left, before pytest trips over it."""
    for path in Path("/tmp").glob("pytest-of-*/garbage-*"):
        with suppress(OSError):
            remove_tree(path)


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
