"""Sealing: the spec's own rules, made true in the root tree before the disk is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from builder.tree import seals
from builder.tree.tree import Tree
from host.discovery import modules_in
from host.errors import InputError
from specs.kind import Check
from specs.model import Rule


@cache
def known() -> Mapping[type[Check], Callable[[Tree, Any], None]]:
    """Return what makes a check true, by its kind: each module of seals/ does so for one."""
    return {module.kind: module.seal for module in modules_in(seals)}


def seal(tree: Tree, rules: Sequence[Rule]) -> None:
    """Make every rule true that the spec marks with `seal: true`.

    Raises InputError for a rule whose kind of check says nothing about how to make it true.
    """
    for rule in rules:
        make_true = known().get(type(rule.check))
        if make_true is None:
            raise InputError(f"rule {rule.id} can't be sealed", why=f"kind {rule.check.kind}")
        make_true(tree, rule.check)
