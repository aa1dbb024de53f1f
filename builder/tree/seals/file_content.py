"""Seals a file whose whole content, and maybe mode, a rule says."""

from __future__ import annotations

from builder.tree.tree import Tree
from specs.kinds.paths import FileContent

kind = FileContent


def seal(tree: Tree, check: FileContent) -> None:
    """Write the file as the rule has it."""
    tree.write(check.path, check.equals, None if check.mode is None else int(check.mode, 8))
