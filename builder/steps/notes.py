"""What a step had to say, such as a script's failure that ended nothing: a part of its result.

Who gets the result from the store is told, too.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

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
