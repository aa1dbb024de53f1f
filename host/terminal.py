"""A terminal for programs that write to one although nobody sits there: what they print is read."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_OUTPUT, _LOCAL, _CHARACTERS = 1, 3, 6  # positions in what termios.tcgetattr() returns


@dataclass
class Terminal:
    """A pseudo-terminal. screen: what is printed on it; its end comes when nobody has it open.

    device: its name, for those who are to print.
    """

    screen: IO[bytes]
    device: Path
    _kept: int

    def let_go(self) -> None:
        """Keep it open no longer ourselves."""
        if self._kept >= 0:
            os.close(self._kept)
            self._kept = -1


@contextmanager
def open_terminal() -> Iterator[Terminal]:
    """Yield a terminal on which nobody ever types: whoever reads from it is at the end at once.

    Lines come as they are written, without a carriage return. Raises OSError.
    """
    master, slave = pty.openpty()
    with os.fdopen(master, "rb", buffering=0) as screen:
        terminal = Terminal(screen, Path(os.ttyname(slave)), slave)
        try:
            mode = termios.tcgetattr(slave)
            mode[_OUTPUT] &= ~termios.OPOST
            mode[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
            mode[_CHARACTERS][termios.VMIN] = mode[_CHARACTERS][termios.VTIME] = 0
            termios.tcsetattr(slave, termios.TCSANOW, mode)
            yield terminal
        finally:
            terminal.let_go()
