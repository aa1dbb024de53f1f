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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from host import cost
from host.errors import HostError, LimitError, ProgramError
from host.output import Output, drain
from host.scratch import work_folder
from host.terminal import Terminal
from host.urls import scrub
from host.variables import of_programs

log = logging.getLogger("ccis.run")

OUTPUT_BYTES = 1 << 28
"""How much a program may print unless told otherwise: ten times what any of our tools does."""

Start = Callable[[], "subprocess.Popen[bytes]"]
going: set[subprocess.Popen[bytes]] = set()
"""The programs that run now, in all threads: what kill_all() kills."""


@dataclass(frozen=True)
class Completed:
    """What a program that has ended leaves: its exit status and what it printed.

    tail: the last lines of both outputs, in the order in which they came.
    """

    status: int
    stdout: str
    stderr: str
    tail: Sequence[str] = ()


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
    stdin: str | bytes | Iterable[str] | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    pass_fds: Sequence[int] = (),
    log_stdout: bool = True,
    own_environment: bool = True,
    output_bytes: int = OUTPUT_BYTES,
    starter: Callable[[Start], subprocess.Popen[bytes]] = lambda start: start(),
    merged: bool = False,
    terminal: Terminal | None = None,
) -> Completed:
    """Run a program to its end and return what it printed.

    stdin: what it reads; None means nothing. Each of several pieces is made while the program has
    those before it; what making one raises ends the program, and is raised.
    env: added to environment().
    timeout_s: after so many seconds it is killed, with its children.
    on_line: called with each line of standard output or error, as it comes.
    check: raise when the exit status is not 0. pass_fds: descriptors that it inherits.
    log_stdout: keep standard output in the log; off for what prints megabytes.
    own_environment: off: it gets `env` and nothing else, not even a PATH.
    output_bytes: when it has printed more (host/output.py says how lines count), it is killed.
    starter: calls what starts the process, in the thread that it is to descend from.
    merged: both outputs are one, in the order in which they were written; it comes as stdout.
    terminal: what the program prints there is its output, too; it is in none of the two.

    Raises ProgramError when the program fails, LimitError when it takes too long or prints too
    much, HostError when it is not there.
    """
    words = [str(word) for word in argv]
    log.debug("+ %s", scrub(shlex.join(words)))
    try:
        process = starter(lambda: subprocess.Popen(
            guarded(words), cwd=cwd, start_new_session=True,
            env=environment(env) if own_environment else dict(env or {}), pass_fds=pass_fds,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        ))
    except FileNotFoundError as error:
        raise missing(words[0] if cwd is None or cwd.is_dir() else str(cwd)) from error
    going.add(process)
    output = Output(output_bytes, on_line, lambda: _kill(process))
    captured = bytearray(), bytearray(), bytearray()
    pipes = process.stdout, process.stderr, terminal.screen if terminal else None
    readers = [
        threading.Thread(target=drain, args=(pipe, into, output, logged), daemon=True)
        for pipe, into, logged in zip(pipes, captured, (log_stdout, True, True), strict=True)
        if pipe
    ]
    for reader in readers:
        reader.start()
    try:
        if stdin is not None and process.stdin is not None:
            _feed(process.stdin, stdin)
        status = wait_for(process, timeout_s)
    except TimeoutError as error:
        raise LimitError(
            "time", f"{words[0]} did not end within {timeout_s:.0f} s",
            why="; ".join(list(output.tail)[-4:]),
        ) from error
    finally:
        if process.poll() is None:
            kill_group(process)
        going.discard(process)
        if terminal:
            terminal.let_go()
        for reader in readers:
            reader.join(timeout=5)
    tail = list(output.tail)
    if output.is_over:
        raise LimitError("output", f"{words[0]} printed more than {output_bytes} bytes",
                         why="; ".join(tail[-4:]))
    if status == 127 and any(f"setpriv: failed to execute {words[0]}" in line for line in tail):
        raise missing(words[0])
    if check and status != 0:
        raise ProgramError(words, status, tail)
    said, complained = (each.decode(errors="replace") for each in captured[:2])
    return Completed(status, said, complained, tail)


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
    _kill(process)
    process.wait()


def kill_all() -> None:
    """Kill every program that run() has going, in whatever thread: the work has failed elsewhere.

    The threads that wait for one get a ProgramError and clean up as after any failure.
    """
    for process in tuple(going):
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def missing(program: str) -> HostError:
    """Return the error for a program that is not there."""
    return HostError(
        f"{program} is not installed", remedy="run tools/setup, or see `ccis doctor`",
    )


def _feed(pipe: IO[bytes], text: str | bytes | Iterable[str]) -> None:
    try:
        for piece in (text,) if isinstance(text, str | bytes) else text:
            pipe.write(piece.encode() if isinstance(piece, str) else piece)
            pipe.flush()
        pipe.close()
    except BrokenPipeError:
        log.debug("  the program closed its input early")
