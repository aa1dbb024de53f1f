"""Hard links through layers: what steps do to one name, beside what all are afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.tree.twins import keep_twins
from host.mounts import overlay, private_mounts, read_only_overlay


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda tree: (tree / name).write_text(text)


def label(name: str) -> Callable[[Path], object]:
    return lambda tree: os.setxattr(tree / name, "security.selinux", b"a:b:c_t:s0")


def replaced(tree: Path) -> None:
    (tree / "new").write_text("other")
    (tree / "new").rename(tree / "bin/b")


def linked(tree: Path) -> None:
    (tree / "etc").mkdir()
    (tree / "etc/d").hardlink_to(tree / "bin/a")


@pytest.mark.parametrize(("steps", "together", "apart"), [
    ([], "bin/a bin/b lib/c", ""),
    ([label("bin/a")], "bin/a bin/b lib/c", ""),
    ([write("bin/b", "x"), label("lib/c")], "bin/a bin/b lib/c", ""),
    ([lambda tree: (tree / "bin/a").chmod(0o4755), write("lib/c", "y")], "bin/a bin/b lib/c", ""),
    ([replaced], "bin/a lib/c", "bin/b"),
    ([replaced, label("lib/c")], "bin/a lib/c", "bin/b"),
    ([lambda tree: (tree / "lib/c").unlink(), label("bin/a")], "bin/a bin/b", ""),
    ([linked], "bin/a bin/b lib/c etc/d", ""),
    ([linked, label("etc/d"), write("bin/b", "z")], "bin/a bin/b lib/c etc/d", ""),
])
def test_names_of_one_file_stay_together(
    steps: list[Callable[[Path], object]], together: str, apart: str, tmp_path: Path,
) -> None:
    private_mounts()
    lowest = tmp_path / "lowest"
    (lowest / "bin").mkdir(parents=True)
    (lowest / "lib").mkdir()
    (lowest / "bin/a").write_text("a")
    (lowest / "bin/b").hardlink_to(lowest / "bin/a")
    (lowest / "lib/c").hardlink_to(lowest / "bin/a")
    layers = [lowest]
    for number, step in enumerate(steps):
        upper, work, view = (tmp_path / f"{name}{number}" for name in ("upper", "work", "view"))
        for folder in (upper, work, view):
            folder.mkdir()
        with overlay(layers, upper, work, view):
            step(view)
            keep_twins(view, upper)
        layers.insert(0, upper)
    (tmp_path / "end").mkdir()
    with read_only_overlay(layers, tmp_path / "end") as end:
        states = [(end / name).stat() for name in together.split()]
        assert len({(state.st_ino, state.st_dev) for state in states}) == 1
        assert len({(end / name).read_bytes() for name in together.split()}) == 1
        for name in apart.split():
            assert (end / name).stat().st_ino != states[0].st_ino
