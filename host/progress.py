"""What long work tells whoever watches: the command line shows it, a library may ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """The watcher of one piece of work, made of named steps, one after the other or at once."""

    def start(self, step: str, total: float | None = None, unit: str = "") -> None:
        """Say that a step begins; total: how many units (packages, bytes) it takes, if known."""

    def advance(self, step: str, done: float, note: str = "") -> None:
        """Say how many units of a step are done, and what is at hand."""

    def finish(self, step: str, *, cached: bool = False, note: str = "") -> None:
        """Say that a step is done; cached: its result was there already."""

    def say(self, text: str) -> None:
        """Say one line worth reading, such as which engine was chosen and why."""


class Silent:
    """A watcher that shows nothing."""

    def start(self, step: str, total: float | None = None, unit: str = "") -> None:
        """Show nothing."""

    def advance(self, step: str, done: float, note: str = "") -> None:
        """Show nothing."""

    def finish(self, step: str, *, cached: bool = False, note: str = "") -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""
