"""A package that an image gets by rule, not by name; the rules are in requirements.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """A package that is added by rule.

    names: the first of these that a repository has. reason: for the plan.
    if_there: no error when no repository has it. where: the line that asks for it (file:line).
    remedy: what to do when no repository has it, where excluding it does not help.
    """

    names: tuple[str, ...]
    reason: str
    if_there: bool = False
    where: str = ""
    remedy: str = ""
