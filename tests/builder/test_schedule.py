"""Tasks run when what they need is there, several at once, and a failure ends all."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from builder.schedule import Task, execute
from host import niceness
from host.errors import InputError, ProgramError
from host.run import run


def test_a_task_runs_behind_what_it_needs() -> None:
    order: list[str] = []
    execute([
        Task("disk", ["tree"], lambda: order.append("disk")),
        Task("qcow2", ["disk"], lambda: order.append("qcow2"), conversion=True),
        Task("tree", [], lambda: order.append("tree")),
    ])
    assert order == ["tree", "disk", "qcow2"]


def test_two_tasks_that_need_nothing_of_each_other_run_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)
    execute([Task(name, [], lambda: meeting.wait() and None, conversion=name == "a")
             for name in ("a", "b")])


def test_programs_of_conversions_give_way() -> None:
    seen: dict[str, str] = {}
    execute([
        Task("tree", [], lambda: seen.update(tree=run(["nice"]).stdout)),
        Task("qcow2", [], lambda: seen.update(qcow2=run(["nice"]).stdout), conversion=True),
    ])
    own = os.nice(0)
    assert int(seen["tree"]) == own
    assert int(seen["qcow2"]) == max(own, niceness.CONVERSION)


def test_a_checksum_goes_before_compressors_and_behind_what_makes_trees() -> None:
    seen: list[int] = []

    def work() -> None:
        with niceness.giving_way_less(niceness.CHECKSUM):
            seen.append(int(run(["nice"]).stdout))
        seen.append(int(run(["nice"]).stdout))

    execute([Task("raw", [], work, conversion=True), Task("tree", [], work)])
    own = os.nice(0)
    assert sorted(seen) == sorted([
        own, own, max(own, niceness.CHECKSUM), max(own, niceness.CONVERSION)])


def test_a_failure_stops_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    ended: list[BaseException] = []

    def long_work() -> None:
        try:
            run(["sleep", "60"])
        except ProgramError as error:
            ended.append(error)
            raise

    def fail() -> None:
        time.sleep(0.3)
        raise InputError("the kickstart is wrong")

    began_s = time.monotonic()
    with pytest.raises(InputError, match="the kickstart is wrong"):
        execute([
            Task("long", [], long_work, conversion=True), Task("bad", [], fail),
            Task("after", ["bad"], lambda: (tmp_path / "made").touch()),
        ])
    assert time.monotonic() - began_s < 10
    assert ended, "the other task's program was not killed"
    assert not (tmp_path / "made").exists()
