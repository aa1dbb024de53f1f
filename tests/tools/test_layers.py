"""Imports only go down the house's floors: a room knows what is below it and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MAY_IMPORT = {
    "host": set(),
    "specs": {"host"},
    "images": {"host", "specs"},
    "rehearsal": {"host"},
    "companions": {"host", "rehearsal"},
    "builder": {"host", "specs", "images"},
    "publish": {"host", "specs", "images"},
    "validate": {"host", "specs", "images", "builder"},
    "ccis": {"host", "specs", "images", "builder", "publish", "validate", "rehearsal",
             "companions"},
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


def arrows(files: dict[str, Path]) -> dict[str, set[str]]:
    """Return what each module imports of the others, types included; files: by module."""
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        names = {name if name in files else name.rpartition(".")[0] for _, name in imported(path)}
        found[module] = names & files.keys() - {module}
    return found


def modules(folder: Path) -> dict[str, Path]:
    paths = (path for room in MAY_IMPORT for path in (folder / room).rglob("*.py"))
    return {".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"): path
            for path in paths}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not for types either: what two of them need lies in a third below both."""
    TopologicalSorter(arrows(modules(CHECKOUT))).prepare()


def test_a_circle_is_found(tmp_path: Path) -> None:
    room = tmp_path / "host"
    room.mkdir()
    (room / "one.py").write_text("if TYPE_CHECKING:\n    from host.two import Two\n")
    (room / "two.py").write_text("def f():\n    import host.one\n")
    with pytest.raises(CycleError):
        TopologicalSorter(arrows(modules(tmp_path))).prepare()


def test_a_file_has_at_most_400_lines() -> None:
    """Of tests, too: what is longer has two topics."""
    rooms = [*MAY_IMPORT, "benchmarks", "tests"]
    long = [f"{path.relative_to(CHECKOUT)}: {lines}" for room in rooms
            for path in (CHECKOUT / room).rglob("*.py")
            if (lines := path.read_text().count("\n")) > 400]
    assert long == []
