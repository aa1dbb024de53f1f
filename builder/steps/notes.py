"""What a step had to say, such as a script's failure that ended nothing: a part of its result.

Who gets the result from the store is told, too.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from host.progress import Progress

_FILE = "notes.json"


def write(folder: Path, notes: list[str]) -> None:
    """Keep what a step said with its result; nothing is kept of nothing."""
    if notes:
        (folder / _FILE).write_text(json.dumps(notes), encoding="utf-8")


def read(data: Path) -> list[str]:
    """Return what a step said when its result was made; what can't be read is nothing."""
    with suppress(OSError, ValueError, TypeError):
        return [str(note) for note in json.loads((data / _FILE).read_text(encoding="utf-8"))]
    return []


@dataclass(frozen=True)
class Noting:
    """Progress of a step that keeps what the step says, to be written into its result."""

    progress: Progress
    said: list[str] = field(default_factory=list)

    def start(self, step: str, total: float | None = None, unit: str = "") -> None:
        """Hand it on."""
        self.progress.start(step, total, unit)

    def advance(self, step: str, done: float, note: str = "") -> None:
        """Hand it on."""
        self.progress.advance(step, done, note)

    def finish(self, step: str, *, cached: bool = False, note: str = "") -> None:
        """Hand it on."""
        self.progress.finish(step, cached=cached, note=note)

    def say(self, text: str) -> None:
        """Keep it, and hand it on."""
        self.said.append(text)
        self.progress.say(text)
