"""Reads a kickstart with pykickstart into plain data; every error names file and line.

Anaconda reads a kickstart twice: first only for its %pre sections, which it runs, and then in
full, with what they wrote (pyanaconda/kickstart.py: preScriptPass, parseKickstart). So do we.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pykickstart.constants import (
    GROUP_ALL,
    GROUP_REQUIRED,
    KS_BROKEN_IGNORE,
    KS_MISSING_IGNORE,
)

from builder.kickstart.dialects import Dialects
from builder.kickstart.model import (
    Addon,
    Certificate,
    Command,
    GroupRequest,
    Kickstart,
    PackageSelection,
    Script,
    Section,
)
from builder.kickstart.parser import Parser
from builder.kickstart.sources import Given, Sources, missing
from host.errors import CcisError

__all__ = [
    "Addon", "Certificate", "Command", "GroupRequest", "Kickstart", "PackageSelection", "Script",
    "Section", "Survey", "read", "read_pre", "survey",
]

# How long a survey goes on mending: so many lines, or so much text read again.
_MANY = 100
_PATIENCE_BYTES = 16 << 20


@dataclass
class Survey:
    """What a kickstart says, as far as it can be read, and everything that is wrong with it.

    problems: in the order of the file; each has where, what, why and remedy.
    unread_includes: place and name of parts that can't be there yet, because %pre writes them,
    or that are on the network.
    """

    kickstart: Kickstart
    problems: list[CcisError] = field(default_factory=list)
    unread_includes: list[tuple[str, str]] = field(default_factory=list)


def read(
    path: Given, dialect: str, installer: Path | None = None, folders: Sequence[Path] = (),
) -> Kickstart:
    """Read a kickstart and what it includes.

    dialect: pykickstart's name of the language's version, such as RHEL10. A line that it does
    not know is taken as the nearest other version means it.
    installer: the folder that holds what %pre wrote; %include looks there first.
    folders: of this host, where its parts may be besides its own folder.
    Raises InputError, with file and line, for anything that pykickstart refuses; RemoteError for
    an included URL that can't be fetched.
    """
    sources = Sources(installer, folders)
    with _quiet():
        parser = _open(path, dialect, sources)
        parser.read()
    if parser.lines.unread:
        raise missing(*parser.lines.unread[0])
    return _finished(parser)


def read_pre(path: Given, dialect: str, folders: Sequence[Path] = ()) -> list[Script]:
    """Return the %pre scripts, looking at nothing else: includes may still be missing.

    Raises InputError for a kickstart that can't be cut into sections.
    """
    with _quiet():
        parser = _open(path, dialect, Sources(folders=folders), commands=False)
        parser.read()
    return parser.result.scripts_of("%pre")


def survey(path: Given, dialect: str, folders: Sequence[Path] = ()) -> Survey:
    """Read a kickstart without stopping at errors, without running %pre and without the network.

    Behind an error that pykickstart can't get over, the line is taken out and all is read again.
    Raises InputError only for a kickstart of which nothing can be read.
    """
    sources = Sources(folders=folders, fetch_urls=False)
    mended: list[CcisError] = []
    read_bytes = 0
    with _quiet():
        while True:
            found: list[CcisError] = []
            parser = _open(path, dialect, sources, found)
            try:
                parser.read()
                break
            except CcisError as error:
                mended.append(error)
                read_bytes += parser.lines.read_bytes
                before = len(sources.unended) + len(sources.mended)
                _mend(sources, parser, error)
                if len(sources.unended) + len(sources.mended) == before:
                    break  # nothing left to mend: what is behind it stays unread
            if len(mended) >= _MANY or read_bytes > _PATIENCE_BYTES:
                break  # what is behind it stays unread; lint has said enough
    result = Survey(_finished(parser))
    has_pre = bool(result.kickstart.scripts_of("%pre"))
    for where, name in parser.lines.unread:
        if has_pre or "://" in name:
            result.unread_includes.append((where, name))
        else:
            found.append(missing(where, name))
    result.problems = _in_order([*mended, *found], list(sources.texts))
    return result


def _open(
    path: Given, dialect: str, sources: Sources, problems: list[CcisError] | None = None,
    *, commands: bool = True,
) -> Parser:
    """Make a parser; the first file is never looked for among what %pre wrote."""
    sources.open(path)
    return Parser(Dialects(dialect), sources, path, problems, commands=commands)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated spellings are valid input
        yield


def _mend(sources: Sources, parser: Parser, error: CcisError) -> None:
    """Take out what could not be read: an open end gets its %end, any other line goes."""
    if "does not end with %end" in error.what:
        sources.unended.add(str(parser.result.path))
    else:
        sources.mended.add(parser.lines.place)


def _in_order(problems: list[CcisError], files: list[str]) -> list[CcisError]:
    """Return each problem once, sorted by file and line."""
    def key(problem: CcisError) -> tuple[int, int]:
        name, _, line = (problem.where or "").rpartition(":")
        return (files.index(name) if name in files else -1, int(line) if line.isdigit() else 0)

    unique = {(problem.where, problem.what): problem for problem in problems}
    return sorted(unique.values(), key=key)


def _finished(parser: Parser) -> Kickstart:
    parser.result.packages = _selection(parser.handler.packages)
    return parser.result


def _selection(packages: Any) -> PackageSelection:
    kinds = {GROUP_REQUIRED: ("mandatory",), GROUP_ALL: ("mandatory", "default", "optional")}
    groups = [
        GroupRequest(group.name, kinds.get(group.include, ("mandatory", "default")))
        for group in packages.groupList
    ]
    dropped = {group.name for group in packages.excludedGroupList}
    if packages.seen and not packages.nocore and "core" not in dropped | {g.name for g in groups}:
        groups.insert(0, GroupRequest("core"))  # as Anaconda does unless told --nocore
    return PackageSelection(
        names=tuple(sorted(packages.packageList)), excluded=tuple(sorted(packages.excludedList)),
        groups=tuple(groups), excluded_groups=tuple(sorted(dropped)),
        environment=packages.environment, with_docs=not packages.excludeDocs,
        with_weak=not packages.excludeWeakdeps, languages=packages.instLangs,
        ignore_missing=packages.handleMissing == KS_MISSING_IGNORE,
        ignore_broken=packages.handleBroken == KS_BROKEN_IGNORE,
        multilib=bool(packages.multiLib), default_environment=bool(packages.default),
        timeout_s=packages.timeout, retries=packages.retries,
    )
