"""Which options a kickstart line uses, however they are spelled, and which there are at all."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from pykickstart.version import makeVersion

from builder.kickstart.read import Command

DIALECTS = ("F41", "RHEL10", "RHEL9", "RHEL8", "RHEL7")
"""The languages that statuses are kept for, the newest first (pykickstart's names)."""

Spellings = tuple[str, ...]
"""All names of one option, such as ("--ondisk", "--ondrive"); ("<mntpoint>",) for a bare word."""


@cache
def commands() -> dict[str, list[Any]]:
    """Return pykickstart's command objects of every name, the newest dialect first."""
    found: dict[str, list[Any]] = {}
    for dialect in DIALECTS:
        for name, command in makeVersion(dialect).commands.items():
            found.setdefault(name, []).append(command)
    return found


@cache
def options_of(name: str) -> tuple[Spellings, ...]:
    """Return every option that any dialect's parser of a command takes, the newest parser's first.

    A word that is no option is named as argparse names it, in angle brackets. Commands whose words
    go to a program as they stand (`authconfig`) have none.
    """
    found: list[Spellings] = []
    known: set[str] = set()
    for command in commands().get(name, []):
        parser = getattr(command, "op", None)
        for action in parser._actions if parser else []:
            spellings = tuple(action.option_strings) or (f"<{action.dest}>",)
            if not known & set(spellings):
                found.append(spellings)
            known |= set(spellings)
    return tuple(found)


def used(command: Command) -> list[Spellings]:
    """Return the options that one line uses: `--opt=value`, `--opt value` and abbreviations."""
    return recognise(command.words, options_of(command.name))


def recognise(words: Iterable[str], options: Iterable[Spellings]) -> list[Spellings]:
    """Return which of the options are among the words.

    As argparse does, a beginning that only one option has stands for that option.
    """
    known = list(options)
    found: list[Spellings] = []
    for word in words:
        if word == "--":
            break
        if not word.startswith("--"):
            continue
        name = word.partition("=")[0]
        exact = [each for each in known if name in each]
        begun = [each for each in known if any(s.startswith(name) for s in each)]
        found += exact or (begun if len(begun) == 1 else [])
    return found
