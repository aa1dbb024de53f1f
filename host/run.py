"""The one way to start a program: logged, streamed, bounded in time, and never left behind."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from host import cost
from host.errors import HostError, ProgramError
from host.scratch import work_folder
from host.urls import scrub
from host.variables import of_programs

log = logging.getLogger("ccis.run")

TAIL_LINES = 30
going: set[subprocess.Popen[bytes]] = set()
"""The programs that run now, in all threads: what kill_all() kills."""


@dataclass(frozen=True)
class Completed:
    """What a program that has ended leaves: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str


def guarded(argv: Sequence[str | Path]) -> list[str]:
    """Return the command line that dies with us, so that `kill -9` of a build leaves no process.

    setpriv's parent-death signal survives exec; a preexec_fn would not be safe beside threads.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *map(str, argv)]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of every program, the same whoever started us, and `extra`."""
    return {**of_programs(work_folder()), **(extra or {})}


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    pass_fds: Sequence[int] = (),
    log_stdout: bool = True,
) -> Completed:
    """Run a program to its end and return what it printed.

    stdin: what it reads; None means nothing. env: added to environment().
    timeout_s: after so many seconds it is killed, with its children.
    on_line: called with each line of standard output or error, as it comes.
    check: raise when the exit status is not 0. pass_fds: descriptors that it inherits.
    log_stdout: keep standard output in the log; off for what prints megabytes.

    Raises ProgramError when the program fails, HostError when it is not there or takes too long.
    """
    words = [str(word) for word in argv]
    log.debug("+ %s", scrub(shlex.join(words)))
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    try:
        process = subprocess.Popen(
            guarded(words), cwd=cwd, env=environment(env), start_new_session=True,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=pass_fds,
        )
    except FileNotFoundError as error:
        raise _missing(words[0] if cwd is None or cwd.is_dir() else str(cwd)) from error
    going.add(process)
    captured: tuple[list[str], list[str]] = ([], [])
    readers = [
        threading.Thread(target=_drain, args=(pipe, into, tail, on_line, logged), daemon=True)
        for pipe, into, logged in zip(
            (process.stdout, process.stderr), captured, (log_stdout, True), strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        if stdin is not None and process.stdin is not None:
            _feed(process.stdin, stdin)
        status = wait_for(process, timeout_s)
    except TimeoutError as error:
        raise HostError(
            f"{words[0]} did not end within {timeout_s:.0f} s", why="; ".join(list(tail)[-4:]),
        ) from error
    finally:
        if process.poll() is None:
            kill_group(process)
        going.discard(process)
        for reader in readers:
            reader.join(timeout=5)
    if status == 127 and any(f"setpriv: failed to execute {words[0]}" in line for line in tail):
        raise _missing(words[0])
    if check and status != 0:
        raise ProgramError(words, status, list(tail))
    return Completed(status, "".join(captured[0]), "".join(captured[1]))


def wait_for(process: subprocess.Popen[bytes], timeout_s: float | None) -> int:
    """Reap a program and count its processor time, which subprocess does not tell."""
    descriptor = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(None if timeout_s is None else timeout_s * 1000):
            raise TimeoutError
    finally:
        os.close(descriptor)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cost.add(usage.ru_utime + usage.ru_stime)
    return process.returncode


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program started in a session of its own, with all its children, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_all() -> None:
    """Kill every program that run() has going, in whatever thread: the work has failed elsewhere.

    The threads that wait for one get a ProgramError and clean up as after any failure.
    """
    for process in tuple(going):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _missing(program: str) -> HostError:
    return HostError(
        f"{program} is not installed", remedy="run tools/setup, or see `ccis doctor`",
    )


def _feed(pipe: IO[bytes], text: str | bytes) -> None:
    try:
        pipe.write(text.encode() if isinstance(text, str) else text)
        pipe.close()
    except BrokenPipeError:
        log.debug("  the program closed its input early")


def _drain(
    pipe: IO[bytes], into: list[str], tail: deque[str], on_line: Callable[[str], None] | None,
    logged: bool,
) -> None:
    for raw in pipe:
        line = raw.decode(errors="replace")
        into.append(line)
        stripped = line.rstrip("\n")
        tail.append(stripped)
        if logged:
            log.debug("  %s", scrub(stripped))
        if on_line:
            on_line(stripped)
