"""Seals what must not be there: it is removed, inner things before outer ones."""

from __future__ import annotations

from builder.tree.tree import Tree, named
from specs.globs import find
from specs.kinds.paths import Absent

kind = Absent


def seal(tree: Tree, check: Absent) -> None:
    """Remove whatever the check's patterns find."""
    for pattern in check.paths:
        with named(pattern):
            matches = find(tree.files, pattern)
        for match in reversed(matches):
            tree.remove(match)
