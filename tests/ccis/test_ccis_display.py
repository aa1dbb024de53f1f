"""What a person sees of long work: plain lines, live bars, the table at the end."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading

import pytest

from ccis.display import Display, amount

_WORK = """
import time
from ccis.display import watching
with watching() as progress:
    progress.start("packages", 2, "packages")
    progress.advance("packages", 1, "bash")
    time.sleep(0.3)
    progress.say("the direct engine: all partitions are plain")
    progress.finish("packages")
    progress.start("disk")
    progress.finish("disk", cached=True)
"""


@pytest.mark.parametrize(("number", "unit", "text"), [
    (12, "packages", "12 packages"), (0, "bytes", "0 B"), (1023, "bytes", "1023 B"),
    (1536, "bytes", "1.5 KiB"), (10 << 30, "bytes", "10.0 GiB"), (5 << 50, "bytes", "5120.0 TiB"),
    (3, "", "3"),
])
def test_amounts_are_readable(number: float, unit: str, text: str) -> None:
    assert amount(number, unit) == text


def test_a_plain_log_has_one_line_per_event_and_a_table_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", _WORK], capture_output=True, text=True, check=True)
    assert done.stdout == ""  # results go there, progress never does
    lines = [line.partition("] ")[2] or line for line in done.stderr.splitlines()]
    assert lines[:2] == ["packages …", "the direct engine: all partitions are plain"]
    assert lines[2].startswith("packages: 0.")
    assert lines[3:5] == ["disk …", "disk: from the store"]
    table = [line.split() for line in lines[5:]]
    assert table[0][0] == "packages"
    assert table[1][0] == "disk" and table[1][3:] == ["from", "the", "store"]
    assert table[2][0] == "total" and table[2][3:] == ["1", "of", "2", "steps", "from", "the",
                                                       "store"]


def test_work_goes_on_when_nobody_can_watch_it() -> None:
    done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" 2> /dev/full', sys.executable,
                           f"{_WORK}\nprint('done')"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_terminal_gets_bars_and_keeps_the_lines_that_matter() -> None:
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _WORK], stderr=secondary, close_fds=True,
        env={**{name: value for name, value in os.environ.items() if name != "CI"},
             "TERM": "xterm", "COLUMNS": "100"})
    os.close(secondary)
    seen = b""
    try:
        while piece := os.read(primary, 4096):
            seen += piece
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(primary)
    assert process.wait(timeout=30) == 0
    text = seen.decode()
    assert "1/2 packages" in text
    assert "━" in text
    assert "the direct engine: all partitions are plain" in text
    assert "1 of 2 steps from the store" in text


def test_a_step_that_tells_later_how_much_there_is_begins_once() -> None:
    stream = io.StringIO()
    display = Display(stream)
    display.start("packages")
    display.start("packages", 300, "packages")
    assert stream.getvalue().count("packages …") == 1
    assert display.steps["packages"].extent == "0/300 packages"
    display.finish("packages")
    display.start("packages")
    assert stream.getvalue().count("packages …") == 2


def test_steps_of_several_threads_do_not_mix() -> None:
    stream = io.StringIO()
    display = Display(stream)

    def work(name: str) -> None:
        for _ in range(50):
            display.start(name, 10, "bytes")
            for done in range(10):
                display.advance(name, done)
            display.finish(name)

    threads = [threading.Thread(target=work, args=(f"step-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4 * 50 * 2
    assert all(line.startswith("[") and line.count("step-") == 1 for line in lines)


def test_the_time_left_follows_from_the_time_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    now = 100.0
    monkeypatch.setattr("ccis.display.time.monotonic", lambda: now)
    display = Display(stream, begun_s=100.0)
    display.start("copy", 4 << 20, "bytes")
    now = 110.0
    display.advance("copy", 1 << 20, "image.qcow2")
    assert stream.getvalue().splitlines()[-1] == (
        "[  10.0 s] copy: 1.0 MiB/4.0 MiB, 30 s left – image.qcow2")
