"""Which options a kickstart line uses, however they are spelled, and which there are at all."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from pykickstart.handlers.control import commandMap
from pykickstart.parser import KickstartParser
from pykickstart.version import makeVersion, stringToVersion

from builder.kickstart.dialects import OTHERS
from builder.kickstart.model import Command

DIALECTS = ("F41", "RHEL10", "RHEL9", "RHEL8", "RHEL7")
"""The languages whose every command has a status, the newest first (pykickstart's names)."""

Spellings = tuple[str, ...]
"""All names of one option, such as ("--ondisk", "--ondrive"); ("<mntpoint>",) for a bare word."""


def command_names() -> set[str]:
    """Return every command that one of the dialects knows."""
    return {name for dialect in DIALECTS for name in commandMap[stringToVersion(dialect)]}


@cache
def options_of(name: str) -> tuple[Spellings, ...]:
    """Return every option that any dialect's parser of a command takes, the newest parser's first.

    The dialects are those that a line may be read by. A word that is no option is named as
    argparse names it, in angle brackets. Commands whose words go to a program as they stand
    (`authconfig`) have none.
    """
    if name == "method":  # pykickstart's stand-in for whichever of url, nfs, … a file says
        name = "url"
    versions = [stringToVersion(dialect) for dialect in dict.fromkeys((*DIALECTS, *OTHERS))]
    kinds = dict.fromkeys(commandMap[version][name] for version in versions
                          if name in commandMap[version])
    return _of_parsers(getattr(kind(), "op", None) for kind in kinds)


@cache
def taken_by(name: str, dialect: str) -> tuple[Spellings, ...] | None:
    """Return the options that one dialect's parser of a command takes; None where it has none."""
    kind = commandMap[stringToVersion(dialect)].get(name)
    parser = getattr(kind(), "op", None) if kind else None
    return _of_parsers([parser]) if parser else None


@cache
def section_options(name: str) -> tuple[Spellings, ...]:
    """Return every option that the header of a section takes, such as %post's: the newest
    dialect's, and the oldest one's, in which nothing had been dropped yet."""
    parsers: list[Any] = []
    for dialect in (DIALECTS[0], DIALECTS[-1]):
        handler = makeVersion(dialect)
        section = KickstartParser(handler)._sections.get(name)
        make = getattr(section, "_getParser", None)
        parsers.append(make() if make else None)
    return _of_parsers(parsers)


def _of_parsers(parsers: Iterable[Any]) -> tuple[Spellings, ...]:
    found: list[Spellings] = []
    known: set[str] = set()
    for parser in parsers:
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
