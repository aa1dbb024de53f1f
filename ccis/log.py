"""The log file of a run: every program that was started and all that it printed."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType

from host.errors import HostError
from host.folders import own_folder
from host.places import cache_folder
from host.text import lines_of, printable
from host.urls import scrub

KEPT = 100
WAITING = "ccis.locks"
_Caught = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_FORMAT = "%(asctime)s %(name)s %(message)s"


@dataclass
class Settings:
    """What this process does about its log. path: the file, None until something is in it."""

    verbose: bool = False
    file: Path | None = None

    @property
    def path(self) -> Path | None:
        """The log file, if anything was written to it."""
        return self.file if self.file and self.file.exists() else None


settings = Settings()


def write_to_file(command: str) -> None:
    """Send the log of this run to a new file in the cache; the file appears with its first line.

    Where the cache can't be written there is no log file, and nothing fails for that. Nobody else
    may read it: what programs print may be secret.
    """
    folder = cache_folder() / "logs"
    logger = logging.getLogger("ccis")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        own_folder(folder)
    except (OSError, HostError):
        logger.addHandler(logging.NullHandler())
        return
    name = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in command)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    settings.file = folder / f"{stamp}-{name[:40]}-{os.getpid()}.log"
    logger.addHandler(_FirstLineHandler(settings.file))


def show_on_terminal() -> None:
    """Send the log to standard error as well (--verbose)."""
    logging.getLogger(WAITING).handlers.clear()  # what goes up from there is shown anyway
    _show("ccis", "%(message)s")


def show_waiting() -> None:
    """Say on standard error when another process is waited for (host/locks.py)."""
    _show(WAITING, "ccis: %(message)s")


def _show(name: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(form))
    logging.getLogger(name).addHandler(handler)


class _Formatter(logging.Formatter):
    """One line for a record, with nothing in it that a terminal obeys; a line each in tracebacks.

    Takes user and password out of every URL as well.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 – the base's name
        """Return the record's line."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _Caught) -> str:  # noqa: N802 – the base's name
        """Return a traceback, which quotes what it fell over."""
        return "\n".join(lines_of(super().formatException(ei)))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        return scrub(super().format(record))


class _FirstLineHandler(logging.FileHandler):
    """A log file that is made, and makes room among its elders, when there is something to say."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, delay=True, encoding="utf-8", errors="replace")
        self.setFormatter(_Formatter(_FORMAT))
        self._begun = self._ended = False

    def _open(self) -> TextIOWrapper:
        """Open the file, which nobody else may read."""
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors=self.errors)  # noqa: PTH123

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 – the base's name
        """Say once that the log can't be written, and go on without: the disk is full, say."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        if self._ended:
            return
        self._ended = True
        logging.getLogger("ccis").removeHandler(self)
        with suppress(OSError):
            print(f"ccis: the log ends here: {self.baseFilename}: {error.strerror}",
                  file=sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; before the first one, the command line and a look at older logs."""
        if not self._begun:
            self._begun = True
            path = Path(self.baseFilename)
            _forget_old(path.parent)
            words = shlex.join(["ccis", *sys.argv[1:]])
            super().emit(logging.LogRecord("ccis", logging.DEBUG, "", 0, words, None, None))
        super().emit(record)


def _forget_old(folder: Path) -> None:
    for path in sorted(folder.glob("*.log"))[:-KEPT]:
        path.unlink(missing_ok=True)
