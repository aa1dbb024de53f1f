"""Ctrl-C, SIGTERM and SIGHUP end a run wherever it is, in a call of a library's as well.

Python runs a signal's handler between two steps of its own, in the main thread: while that waits
for libguestfs, nothing would happen for minutes. So a thread is told by the handler in C (a wakeup
descriptor) and ends what others wait for: the appliances and programs that this run has started.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from host import run
from host.clean_room import is_ignored

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_S = 1.0
"""timeout(1) signals its child and then their whole group, systemd sends SIGTERM and SIGHUP
together: within this time they are one wish."""
_AGAIN_S = 0.2


def end_on_signals(grace_s: Callable[[], float], say: Callable[[str], None]) -> None:
    """Let each of ENDING unwind the program, so that it cleans up; status 128+n.

    A second signal after ONE_S, or grace_s() seconds of cleaning up, end it at once: work in
    other threads can't be unwound. Programs that we started die with us, and the next run sweeps
    what is left, as it does after SIGKILL. say: shows a line.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(write_end, False)
    unwinding = False

    def unwind(number: int, _: FrameType | None) -> None:
        nonlocal unwinding
        if unwinding:
            return
        unwinding = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    # nohup's wish that a closed terminal end nothing is respected; SIGTERM always ends us.
    heard = [each for each in ENDING if each == signal.SIGTERM or not is_ignored(each)]
    for each in heard:
        signal.signal(each, unwind)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read_end, heard, grace_s, say), name="signals",
                     daemon=True).start()


def be_deaf() -> None:
    """Hear no more signals: all is clean, and what is left is our exit status."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)


def _watch(
    read_end: int, heard: Sequence[int], grace_s: Callable[[], float], say: Callable[[str], None],
) -> NoReturn:
    number = _next(read_end, heard)
    first_s = time.monotonic()
    run.kill_all()
    while True:
        _kill_appliances()  # again and again: one that is being started can't be told yet
        spent_s = time.monotonic() - first_s
        again = bool(select.select([read_end], [], [], _AGAIN_S)[0]) and _next(read_end, heard)
        if (again and spent_s > ONE_S) or spent_s > grace_s():
            say("ccis: ended without cleaning up; the next run will")
            os._exit(128 + number)


def _next(read_end: int, heard: Sequence[int]) -> int:
    """Return the next of the signals that end a run; of others we are told, too."""
    while (number := os.read(read_end, 1)[0]) not in heard:
        pass
    return number


def _kill_appliances() -> None:
    from host import appliance  # most commands never need it

    appliance.kill_all()
