"""The processor time of a piece of work is that of its thread and its programs."""

from __future__ import annotations

import threading
import time

from host.cost import measured
from host.run import run

_BUSY = "x=0; while [ $x -lt 200000 ]; do x=$((x+1)); done"


def test_a_program_counts_and_waiting_does_not() -> None:
    with measured() as busy:
        run(["bash", "-c", _BUSY])
    with measured() as idle:
        time.sleep(0.3)
    assert busy.cpu_s > 0.1
    assert idle.cpu_s < 0.1
    assert idle.duration_s >= 0.3


def test_another_thread_s_programs_are_its_own() -> None:
    other = threading.Thread(target=lambda: run(["bash", "-c", _BUSY]))
    with measured() as cost:
        other.start()
        other.join()
    assert cost.cpu_s < 0.1
