"""Imports only go down the house's floors: a room knows what is below it and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MAY_IMPORT = {
    "host": set(),
    "specs": {"host"},
    "images": {"host", "specs"},
    "rehearsal": {"host"},
    "builder": {"host", "specs", "images"},
    "publish": {"host", "specs", "images"},
    "validate": {"host", "specs", "images", "builder"},
    "ccis": {"host", "specs", "images", "builder", "publish", "validate", "rehearsal"},
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and top-level name of each import in a file, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module.partition(".")[0]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_from_below(room: str) -> None:
    files = sorted((CHECKOUT / room).rglob("*.py"))
    assert files
    wrong = [f"{path.relative_to(CHECKOUT)}:{line} imports {name}"
             for path in files for line, name in imported(path)
             if name in MAY_IMPORT and name != room and name not in MAY_IMPORT[room]]
    assert wrong == []
