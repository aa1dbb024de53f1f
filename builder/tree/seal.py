"""Sealing: the spec's own rules, made true in the root tree before the disk is made."""

from __future__ import annotations

from collections.abc import Sequence

from builder.tree.tree import Tree, named
from host.errors import InputError
from host.patterns import pattern
from specs.globs import find
from specs.kinds.paths import Absent, EmptyFile, FileContent
from specs.kinds.settings import FileLines
from specs.model import Rule


def seal(tree: Tree, rules: Sequence[Rule]) -> None:
    """Make every rule true that the spec marks with `seal: true`.

    Raises InputError for a rule whose kind of check says nothing about how to make it true.
    """
    for rule in rules:
        check = rule.check
        if isinstance(check, Absent):
            for pattern in check.paths:
                with named(pattern):
                    matches = find(tree.files, pattern)
                for match in reversed(matches):
                    tree.remove(match)
        elif isinstance(check, EmptyFile):
            for path in check.paths:
                tree.write(path, "")
        elif isinstance(check, FileContent):
            tree.write(check.path, check.equals,
                       None if check.mode is None else int(check.mode, 8))
        elif isinstance(check, FileLines):
            tree.write(check.path, with_lines(tree.read(check.path), check))
        else:
            raise InputError(f"rule {rule.id} can't be sealed", why=f"kind {check.kind}")


def with_lines(text: str, check: FileLines) -> str:
    """Return a file's text with the lines that a rule wants, and without those that it does not."""
    kept = [line for line in text.splitlines() if line in check.lines
            or not any(pattern(one).search(line) for one in check.without)]
    return "".join(f"{line}\n" for line in [*kept, *(
        line for line in check.lines if line not in kept)])
