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

# The rooms of builder/, top first; what lies in builder/ itself holds them together.
FLOORS = [["steps"], ["formats"], ["packages", "scripting"], ["booting"], ["kickstart"], ["disk"],
          ["tree"], ["sandbox"], ["store"]]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of each import in a file, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_from_below(room: str) -> None:
    files = sorted((CHECKOUT / room).rglob("*.py"))
    assert files
    wrong = [f"{path.relative_to(CHECKOUT)}:{line} imports {name}"
             for path in files for line, module in imported(path)
             if (name := module.partition(".")[0]) in MAY_IMPORT
             and name != room and name not in MAY_IMPORT[room]]
    assert wrong == []


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_a_room_of_the_builder_imports_only_from_below(floor: int) -> None:
    above = {f"builder.{name}" for names in FLOORS[:floor] for name in names}
    for name in FLOORS[floor]:
        strangers = above | {f"builder.{other}" for other in FLOORS[floor] if other != name}
        files = sorted((CHECKOUT / "builder" / name).rglob("*.py"))
        assert files
        wrong = [f"{path.relative_to(CHECKOUT)}:{line} imports {module}"
                 for path in files for line, module in imported(path)
                 if ".".join(module.split(".")[:2]) in strangers]
        assert wrong == []


def test_every_room_of_the_builder_has_a_floor() -> None:
    rooms = {path.parent.name for path in (CHECKOUT / "builder").glob("*/*.py")}
    assert rooms == {name for names in FLOORS for name in names}
