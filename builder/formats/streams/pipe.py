"""Two programs joined by a pipe, both guarded and both checked; what flows may be watched."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from host.errors import HostError, ProgramError
from host.output import TAIL_LINES
from host.run import environment, going, guarded, kill_group, wait_for

log = logging.getLogger("ccis.run")

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class _Running:
    argv: Sequence[str]
    process: subprocess.Popen[bytes]
    reader: threading.Thread
    tail: deque[str]

    def status(self) -> int:
        status = wait_for(self.process, None)
        self.reader.join(timeout=5)
        return status

    def failure(self, status: int) -> ProgramError:
        return ProgramError(self.argv, status, list(self.tail))


def pipe(
    producer: Sequence[str], consumer: Sequence[str], destination: int, *,
    head: bytes = b"", on_piece: Callable[[bytes], None] = lambda piece: None,
) -> None:
    """Run `producer | consumer > destination`.

    consumer: empty: what the producer prints goes to the destination as it is.
    destination: an open descriptor; writing starts at its offset.
    head: what the consumer reads first, before what the producer prints.
    on_piece: sees each piece on its way, head included: to hash or to count it.

    Raises ProgramError for the program that failed first, HostError when one is not installed,
    OSError when the destination can't be written.
    """
    for argv in filter(None, (producer, consumer)):
        if shutil.which(argv[0]) is None:
            raise HostError(
                f"{argv[0]} is not installed", remedy="run tools/setup, or see `ccis doctor`",
            )
    log.debug("+ %s", " | ".join(shlex.join(argv) for argv in (producer, consumer) if argv))
    with ExitStack() as stack:
        if not consumer:
            source = stack.enter_context(_started(producer, subprocess.DEVNULL, subprocess.PIPE))
            with os.fdopen(os.dup(destination), "wb") as sink:
                _pump(source, sink.write, head, on_piece)
            _check(source)
            return
        drain = stack.enter_context(_started(consumer, subprocess.PIPE, destination))
        source = stack.enter_context(_started(producer, subprocess.DEVNULL, subprocess.PIPE))
        assert drain.process.stdin is not None
        try:
            _pump(source, drain.process.stdin.write, head, on_piece)
            drain.process.stdin.close()
        except BrokenPipeError as error:
            raise drain.failure(drain.status()) from error
        # A consumer whose input was cut short would end well: the producer is asked first.
        _check(source)
        _check(drain)


def _pump(
    source: _Running, write: Callable[[bytes], int], head: bytes,
    on_piece: Callable[[bytes], None],
) -> None:
    assert source.process.stdout is not None
    if head:
        on_piece(head)
        write(head)
    while piece := source.process.stdout.read1(_PIECE_BYTES):  # type: ignore[attr-defined]
        on_piece(piece)
        write(piece)


def _check(running: _Running) -> None:
    status = running.status()
    if status != 0:
        raise running.failure(status)


@contextmanager
def _started(argv: Sequence[str], stdin: int, stdout: int) -> Iterator[_Running]:
    """Start a program for the block; whatever ends the block early kills it."""
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    process = subprocess.Popen(
        guarded(argv), env=environment(), start_new_session=True,
        stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
    )
    reader = threading.Thread(target=_read_errors, args=(process, tail), daemon=True)
    reader.start()
    going.add(process)
    try:
        yield _Running(argv, process, reader, tail)
    finally:
        if process.poll() is None:
            kill_group(process)
        going.discard(process)
        reader.join(timeout=5)
        for end in (process.stdin, process.stdout, process.stderr):
            if end is not None:
                with contextlib.suppress(OSError):  # what was not flushed has no reader any more
                    end.close()


def _read_errors(process: subprocess.Popen[bytes], tail: deque[str]) -> None:
    assert process.stderr is not None
    for raw in process.stderr:
        line = raw.decode(errors="replace").rstrip("\n")
        tail.append(line)
        log.debug("  %s", line)
