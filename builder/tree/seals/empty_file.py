"""Seals files that must be there with nothing in them."""

from __future__ import annotations

from builder.tree.tree import Tree
from specs.kinds.paths import EmptyFile

kind = EmptyFile


def seal(tree: Tree, check: EmptyFile) -> None:
    """Empty the files; one that is missing is made."""
    for path in check.paths:
        tree.write(path, "")
