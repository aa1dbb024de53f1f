"""Sealing: the spec's own rules, made true in the root tree before the disk is made."""

from __future__ import annotations

from collections.abc import Sequence

from builder.tree.tree import Tree, named
from host.errors import InputError
from specs.globs import find
from specs.kinds.paths import Absent, EmptyFile, FileContent
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
            tree.write(check.path, check.equals)
        else:
            raise InputError(f"rule {rule.id} can't be sealed", why=f"kind {check.kind}")
