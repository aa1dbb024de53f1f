"""Shows the steps of long work on standard error: live on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from ccis import log
from ccis.output import silence
from host.text import shown
from images.sizes import shown_size

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PLAIN_INTERVAL_S = 5.0
"""How often a plain log says how far a step is."""


@dataclass
class Line:
    """One line of the display: a step as far as it is known.

    total: None where nobody knows how much there is to do.
    """

    name: str
    unit: str
    total: float | None
    begun_s: float
    done: float = 0.0
    ended_s: float | None = None
    cached: bool = False
    note: str = ""
    said_s: float = 0.0
    task: TaskID | None = None

    @property
    def shown(self) -> str:
        """Its name as it may be shown: a kickstart or an image may have given it."""
        return shown(self.name)

    @property
    def duration_s(self) -> float:
        """How long it took, or has taken so far."""
        return (self.ended_s or time.monotonic()) - self.begun_s

    @property
    def extent(self) -> str:
        """How much is done of how much, with the time left."""
        if self.total is None:
            return amount(self.done, self.unit) if self.done else ""
        text = f"{amount(self.done, self.unit, bare=True)}/{amount(self.total, self.unit)}"
        # The first few of many say little: what takes long at the start need not go on so.
        if 0.1 * self.total <= self.done < self.total and self.duration_s > 1:
            left_s = self.duration_s / self.done * (self.total - self.done)
            text += f", {left_s:.0f} s left"
        return text


def amount(number: float, unit: str, *, bare: bool = False) -> str:
    """Return "12 packages", or "1.5 GiB" where the unit is bytes; bare: no unit but for bytes."""
    if unit == "bytes":
        return shown_size(number)
    return f"{number:.0f}" if bare or not unit else f"{number:.0f} {unit}"


@dataclass
class Display:
    """A `host.progress.Progress` that a person watches; safe to call from several threads."""

    stream: TextIO
    bars: Bars | None = None
    begun_s: float = field(default_factory=time.monotonic)
    steps: dict[str, Line] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self, step: str, total: float | None = None, unit: str = "") -> None:
        """Show that a step begins; told again, how much there is to do."""
        with self._lock:
            begun = self.steps.get(step)
            if begun is not None and begun.ended_s is None:
                begun.total, begun.unit = total, unit
                if self.bars is not None and begun.task is not None:
                    self.bars.update(begun.task, total=total)
                return
            known = Line(step, unit, total, time.monotonic(), said_s=time.monotonic())
            self.steps[step] = known
            if self.bars is None:
                self._print(f"{step} …")
            else:
                known.task = self.bars.add_task(known.shown, total=total, extent="", note="")

    def advance(self, step: str, done: float, note: str = "") -> None:
        """Show how far a step is."""
        with self._lock:
            known = self.steps.get(step)
            if known is None:
                return
            known.done, known.note = done, note
            if self.bars is not None and known.task is not None:
                self.bars.update(known.task, completed=done, extent=known.extent,
                                 note=shown(note))
            elif time.monotonic() - known.said_s >= PLAIN_INTERVAL_S:
                known.said_s = time.monotonic()
                self._print(f"{step}: {known.extent}" + (f" – {note}" if note else ""))

    def finish(self, step: str, *, cached: bool = False, note: str = "") -> None:
        """Show that a step is done."""
        with self._lock:
            known = self.steps.setdefault(step, Line(step, "", None, time.monotonic()))
            known.ended_s, known.cached, known.note = time.monotonic(), cached, note
            if self.bars is not None and known.task is not None:
                self.bars.remove_task(known.task)
                known.task = None
            how = "from the store" if cached else f"{known.duration_s:.1f} s"
            self._print(f"{step}: {how}" + (f" – {note}" if note else ""))

    def say(self, text: str) -> None:
        """Show one line."""
        with self._lock:
            self._print(text)

    def table(self) -> str:
        """Return the finished steps with their times, and which came from the store."""
        rows = [step for step in self.steps.values() if step.ended_s is not None]
        width = max([len(step.shown) for step in rows] + [len("total")])
        lines = []
        for step in rows:
            remark = " – ".join(
                ["from the store"] * step.cached + [shown(step.note)] * bool(step.note))
            lines.append(f"  {step.shown:<{width}}  {step.duration_s:7.1f} s  {remark}".rstrip())
        hits = sum(step.cached for step in rows)
        lines.append(f"  {'total':<{width}}  {time.monotonic() - self.begun_s:7.1f} s"
                     f"  {hits} of {len(rows)} steps from the store")
        return "\n".join(lines)

    def _print(self, text: str) -> None:
        text = shown(text)
        try:
            if self.bars is not None:
                self.bars.console.print(text, markup=False, highlight=False)
            else:
                elapsed_s = time.monotonic() - self.begun_s
                print(f"[{elapsed_s:6.1f} s] {text}", file=self.stream, flush=True)
        except OSError:  # a full disk, say: the work goes on without being watched
            silence(self.stream)


@contextmanager
def watching(*, table: bool = True) -> Iterator[Display]:
    """Yield the display of one command's work; table: end it with the table of its steps.

    Standard error decides: a terminal gets bars, everything else one line per event.
    """
    display = Display(sys.stderr)
    if _is_lively():
        with _bars() as bars:
            display.bars = bars
            try:
                yield display
            finally:
                display.bars = None
    else:
        yield display
    if table and display.steps:
        try:
            print(display.table(), file=sys.stderr, flush=True)
        except OSError:
            silence(sys.stderr)


def _is_lively() -> bool:
    plain = os.environ.get("TERM") == "dumb" or os.environ.get("CI") or log.settings.verbose
    return sys.stderr.isatty() and not plain


def _bars() -> Bars:
    # Rich is imported here alone: a script's warm rebuild should not wait for it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24),
        TextColumn("{task.fields[extent]}", markup=False), TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
        console=Console(stderr=True), transient=True, expand=False,
    )
