"""The one way to run a program: output, errors, time limits, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import HostError, InputError, ProgramError
from host.run import run


def alive(marker: str) -> bool:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return any(marker in line and "ps -eo" not in line for line in listing.stdout.splitlines())


def test_output_and_lines_as_they_come() -> None:
    lines: list[str] = []
    done = run(["sh", "-c", "echo out; echo err >&2"], on_line=lines.append)
    assert (done.stdout, done.stderr, done.status) == ("out\n", "err\n", 0)
    assert sorted(lines) == ["err", "out"]


def test_input_is_given_and_environment_added() -> None:
    done = run(["sh", "-c", "cat; echo $X"], stdin="text\n", env={"X": "y"})
    assert done.stdout == "text\ny\n"


def test_pieces_of_input_are_made_while_the_program_runs(tmp_path: Path) -> None:
    def pieces() -> Iterator[str]:
        yield "first\n"
        while not (tmp_path / "seen").exists():
            time.sleep(0.01)
        yield "second\n"

    done = run(["sh", "-c", f"read x; touch {tmp_path}/seen; echo $x; cat"], stdin=pieces())
    assert done.stdout == "first\nsecond\n"


def test_what_making_a_piece_raises_ends_the_program(tmp_path: Path) -> None:
    def pieces() -> Iterator[str]:
        yield "first\n"
        raise InputError("the second is bad")

    with pytest.raises(InputError, match="the second is bad"):
        run(["sh", "-c", f"read x; read y && touch {tmp_path}/went-on; sleep 3600.25"],
            stdin=pieces())
    assert not (tmp_path / "went-on").exists() and not alive("3600.25")


def test_a_failure_carries_command_status_and_last_words() -> None:
    with pytest.raises(ProgramError) as caught:
        run(["sh", "-c", "echo the reason >&2; exit 3"])
    assert caught.value.status == 3
    assert "the reason" in str(caught.value)
    assert caught.value.argv[0] == "sh"


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(HostError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_after_the_time_limit_children_are_gone_too() -> None:
    marker = f"31.{os.getpid()}"
    with pytest.raises(HostError, match="did not end within"):
        run(["sh", "-c", f"sleep {marker} & sleep {marker}"], timeout_s=0.3)
    assert not alive(f"sleep {marker}")


def test_a_program_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    marker = f"32.{os.getpid()}"
    code = f"from host.run import run; run(['sleep', '{marker}'])"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 10
    while not alive(f"sleep {marker}") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(f"sleep {marker}")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while alive(f"sleep {marker}") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(f"sleep {marker}")
