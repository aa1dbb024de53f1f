"""Reads what a program prints, with a bound: no output is so long that it fills our memory."""

from __future__ import annotations

import errno
import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from host.urls import scrub

log = logging.getLogger("ccis.run")

TAIL_LINES = 30
LINE_CHARS = 4000
"""Of a longer line, logs and messages show the beginning and the end, where the reason is."""

_END_CHARS = 500
_LINE_COSTS_BYTES = 64  # what it costs at least to note a line, however short it is
_PIECE_BYTES = 1 << 16


@dataclass
class Output:
    """What all that a program prints to counts together.

    limit_bytes: as much may come; a line counts 64 bytes more than it has. on_line: is called with
    each line. kill: is called, once, when more comes.
    """

    limit_bytes: int
    on_line: Callable[[str], None] | None
    kill: Callable[[], None]
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    seen_bytes: int = 0
    is_over: bool = False

    def takes(self, piece: bytes) -> bool:
        """Count a piece; say whether it still fits."""
        self.seen_bytes += len(piece) + piece.count(b"\n") * _LINE_COSTS_BYTES
        if self.seen_bytes > self.limit_bytes and not self.is_over:
            self.is_over = True
            self.kill()
        return not self.is_over

    def line(self, raw: bytes, logged: bool) -> None:
        """Show a line, without its end, to all who want to see it."""
        text = raw.decode(errors="replace")
        short = shortened(text)
        self.tail.append(short)
        if logged:
            log.debug("  %s", scrub(short))
        if self.on_line:
            self.on_line(text)


def drain(pipe: IO[bytes], into: bytearray, output: Output, logged: bool) -> None:
    """Read a pipe to its end, or to the end of what may come.

    into: gets all of it. pipe: one that nobody has read from.
    """
    begun = 0  # where the line at hand starts in `into`
    while piece := _piece(pipe):
        if not output.takes(piece):
            return
        searched = len(into)
        into += piece
        while (end := into.find(b"\n", searched)) >= 0:
            output.line(bytes(into[begun:end]), logged)
            begun = searched = end + 1
    if begun < len(into):
        output.line(bytes(into[begun:]), logged)


def _piece(pipe: IO[bytes]) -> bytes:
    try:
        return os.read(pipe.fileno(), _PIECE_BYTES)
    except OSError as error:
        if error.errno != errno.EIO:  # a terminal that nobody has open any more (pty(7))
            raise
        return b""


def shortened(text: str) -> str:
    """Return a line as logs and messages show it."""
    if len(text) <= LINE_CHARS:
        return text
    left_out = len(text) - LINE_CHARS
    return (f"{text[:LINE_CHARS - _END_CHARS]} … ({left_out} characters more) … "
            f"{text[-_END_CHARS:]}")
