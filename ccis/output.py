"""What a person or a script gets back: results, errors and the exit status, in one place."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, TextIO

import typer

from ccis import log, signals
from host.errors import CcisError, ProgramError, from_os_error
from host.space import full_disk_error, says_full
from host.text import lines_of, printable, shown
from host.urls import scrub

BUG_STATUS = 70
"""EX_SOFTWARE of sysexits.h: the fault is ours, not the input's, the host's or a mirror's."""

GRACE_S = 20.0
"""How long a signal lets us clean up; removing a root tree takes a few seconds."""

TAIL_LINES = 15
_logger = logging.getLogger("ccis.run")


@dataclass
class Settings:
    """How this process reports. json: errors too are for a script."""

    json: bool = False


settings = Settings()


def line(text: str = "") -> None:
    """Print one line of a result to standard output, fit to be shown."""
    typer.echo(shown(text))


def note(text: str) -> None:
    """Print one line that is no result, to standard error; fit to be shown.

    Where nobody can read it any more, nothing fails for that.
    """
    try:
        typer.echo(shown(text), err=True)
    except OSError:
        silence(sys.stderr)


def as_json(value: object) -> str:
    """Return the JSON text of a value made of models, dataclasses, mappings and lists.

    It is ASCII without control characters: whatever is in a value is escaped.
    """
    text = json.dumps(value, default=_plain, indent=2, sort_keys=True)
    return text.replace("\x7f", "\\u007f")  # the one that json leaves


def document(value: object) -> None:
    """Print a result to standard output as JSON, its URLs without user and password."""
    typer.echo(scrub(as_json(value)))


def report(value: object, text: Callable[[], Iterable[str]], *, to_json: bool) -> None:
    """Print a result to standard output: `value` as JSON, or lines for a person."""
    if to_json:
        document(value)
    else:
        for each in text():
            line(each)


def _plain(value: Any) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def end_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP unwind the program, for GRACE_S seconds at most."""
    signals.end_on_signals(lambda: GRACE_S, note)


def guarded(work: Callable[[], object]) -> int:
    """Do a command's work and return the exit status of the contract, with its error shown."""
    try:
        work()
        sys.stdout.flush()
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        signals.be_deaf()
        if status in (128 + signal.SIGTERM, 128 + signal.SIGHUP):
            note(f"ccis: ended by {signal.Signals(status - 128).name}")
        return status
    except KeyboardInterrupt:
        signals.be_deaf()
        note("ccis: interrupted")
        return 128 + signal.SIGINT
    except CcisError as error:
        return _fail(_with_remedy(error), error)
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does.
        silence(sys.stdout)
        return 1
    except OSError as error:
        _flush(sys.stdout)
        refusal = from_os_error(error, "the work")
        return _fail(refusal, error) if refusal.remedy else _bug(error)
    except Exception as error:
        return _bug(error)
    return 0


def _with_remedy(error: CcisError) -> CcisError:
    """Return an error that says what to do, where a program has found a disk full."""
    if not isinstance(error, ProgramError) or error.remedy or not says_full(error):
        return error
    full = full_disk_error(None, str(error.what))
    full.__cause__ = error
    for each in getattr(error, "__notes__", []):
        full.add_note(each)
    return full


def _flush(stream: TextIO) -> None:
    """Have Python not complain at exit (status 120) that it can't flush what nobody can read."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Have nothing fail any more because a stream can't be written: nobody reads it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(error: CcisError, cause: BaseException | None = None) -> int:
    _logger.debug("failed: %s", error, exc_info=cause or error)
    if settings.json:
        document({"error": describe(error)})
    for each in message(error).split("\n"):
        note(each)
    if log.settings.verbose:
        _trace(cause or error)
    return error.exit_status


def _bug(error: Exception) -> int:
    _logger.error("a bug", exc_info=error)
    kind = type(error).__name__
    if settings.json:
        document({"error": {"what": "this is a bug in ccis", "why": f"{kind}: {error}",
                            "exit_status": BUG_STATUS}})
    note(f"error: this is a bug in ccis: {kind}: {error}")
    if log.settings.path:
        note(f"  log:    {log.settings.path} holds the traceback; please report it")
    if log.settings.verbose or not log.settings.path:
        _trace(error)
    return BUG_STATUS


def _trace(error: BaseException) -> None:
    for each in "".join(traceback.format_exception(error)).split("\n"):
        note(each)


def describe(error: CcisError) -> dict[str, object]:
    """Return what is known of an error, for a script."""
    return {
        "what": error.what, "where": error.where, "why": error.why, "remedy": error.remedy,
        "notes": getattr(error, "__notes__", []), "exit_status": error.exit_status,
        "log": str(log.settings.path) if log.settings.path else None,
    }


def message(error: CcisError) -> str:
    """Return what a person reads: what failed, where, why, what to do, the end of the log.

    Further lines of a text are marked, so that none is taken for one of ours.
    """
    lines = [f"error: {_marked(error.what)}"]
    for label, text in (("where", error.where), ("why", error.why), ("remedy", error.remedy)):
        if text:
            lines.append(f"  {label + ':':<8}{_marked(text)}")
    lines += [f"  {_marked(text)}" for text in getattr(error, "__notes__", [])]
    tail = _tail(error)
    if tail:
        lines.append("  the program's last words:")
        lines += [f"    | {printable(text)}" for text in tail[-TAIL_LINES:]]
    if log.settings.path:
        lines.append(f"  log:    {log.settings.path}")
    return "\n".join(lines)


def _marked(text: str) -> str:
    return "\n    | ".join(lines_of(text))


def _tail(error: BaseException | None) -> list[str]:
    """Return the last lines of the program whose failure caused an error, if one did."""
    while error is not None:
        if isinstance(error, ProgramError):
            return error.tail
        error = error.__cause__
    return []
