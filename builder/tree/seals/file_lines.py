"""Seals single lines of a file, and leaves the others as they are."""

from __future__ import annotations

from builder.tree.tree import Tree
from host.patterns import pattern
from specs.kinds.settings import FileLines

kind = FileLines


def seal(tree: Tree, check: FileLines) -> None:
    """Write the file with the lines that the rule wants."""
    tree.write(check.path, with_lines(tree.read(check.path), check))


def with_lines(text: str, check: FileLines) -> str:
    """Return a file's text with the lines that a rule wants, and without those that it does not."""
    kept = [line for line in text.splitlines() if line in check.lines
            or not any(pattern(one).search(line) for one in check.without)]
    return "".join(f"{line}\n" for line in [*kept, *(
        line for line in check.lines if line not in kept)])
