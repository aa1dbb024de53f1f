"""Reads a kickstart with pykickstart into plain data; every error names file and line."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pykickstart.constants import (
    GROUP_ALL,
    GROUP_REQUIRED,
    KS_BROKEN_IGNORE,
    KS_MISSING_IGNORE,
    KS_SCRIPT_ONERROR,
    KS_SCRIPT_POST,
    KS_SCRIPT_PRE,
    KS_SCRIPT_PREINSTALL,
    KS_SCRIPT_TRACEBACK,
)
from pykickstart.errors import KickstartError
from pykickstart.parser import KickstartParser
from pykickstart.sections import NullSection
from pykickstart.version import makeVersion

from host.errors import InputError

_SCRIPT_KINDS = {
    KS_SCRIPT_PRE: "%pre", KS_SCRIPT_PREINSTALL: "%pre-install", KS_SCRIPT_POST: "%post",
    KS_SCRIPT_ONERROR: "%onerror", KS_SCRIPT_TRACEBACK: "%traceback",
}


@dataclass(frozen=True)
class Command:
    """One command line: its words, what pykickstart made of them, and where it stands."""

    name: str
    words: tuple[str, ...]
    data: Any
    where: str


@dataclass(frozen=True)
class Script:
    """One script section; in_chroot is False for --nochroot."""

    kind: str
    text: str
    interpreter: str
    in_chroot: bool
    stop_on_error: bool
    log: str | None
    where: str


@dataclass(frozen=True)
class Addon:
    """One %addon section: the words of its header and its lines, as they stand."""

    name: str
    words: tuple[str, ...]
    lines: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class GroupRequest:
    """A package group; kinds: which of its packages are wanted (comps' terms)."""

    name: str
    kinds: tuple[str, ...] = ("mandatory", "default")


@dataclass(frozen=True)
class PackageSelection:
    """The %packages section. languages None: all of them are installed."""

    names: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    groups: tuple[GroupRequest, ...] = ()
    excluded_groups: tuple[str, ...] = ()
    environment: str | None = None
    with_docs: bool = True
    with_weak: bool = True
    languages: str | None = None
    ignore_missing: bool = False
    ignore_broken: bool = False


@dataclass
class Kickstart:
    """A kickstart as it was read; sources: the text of each file that it is made of."""

    path: Path
    commands: list[Command] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    addons: list[Addon] = field(default_factory=list)
    packages: PackageSelection = field(default_factory=PackageSelection)
    sources: dict[str, str] = field(default_factory=dict)

    def find(self, *names: str) -> list[Command]:
        """Return the commands of these names, in the order of the file."""
        return [command for command in self.commands if command.name in names]

    def where_of(self, word: str) -> str:
        """Return file and line of the first line that says just `word`, as in %packages."""
        for source, text in self.sources.items():
            for number, line in enumerate(text.splitlines(), start=1):
                if line.split("#")[0].strip() == word:
                    return f"{source}:{number}"
        return str(self.path)


def read(path: Path, dialect: str) -> Kickstart:
    """Read a kickstart and what it includes.

    dialect: pykickstart's name of the language's version, such as RHEL10.
    Raises InputError, with file and line, for anything that pykickstart refuses.
    """
    result = Kickstart(path)
    parser = _Parser(makeVersion(dialect), result)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated spellings are valid input
            parser.readKickstart(str(path))
    except KickstartError as error:
        raise _input_error(error, parser) from error
    except (ValueError, IndexError, UnicodeError, OSError, RecursionError) as error:
        # shlex says "No closing quotation" with a ValueError; binary junk ends here, too.
        raise InputError(
            "cannot be understood", where=parser.where(), why=str(error) or type(error).__name__,
        ) from error
    result.packages = _selection(parser.handler.packages)
    return result


def _input_error(error: KickstartError, parser: _Parser) -> InputError:
    message = str(error.message or error.value).strip()
    first, *rest = [line.strip() for line in message.splitlines() if line.strip()] or ["is wrong"]
    where = parser.where(error.lineno)
    if first.startswith("Unable to open input kickstart file"):
        where = parser.where()
        missing = first.rpartition(": ")[2]
        return InputError("a kickstart file cannot be read", where=where, why=missing,
                          remedy="check the path; %include is relative to the including file")
    return InputError(first, where=where, why=" ".join(rest) or None)


class _Parser(KickstartParser):  # type: ignore[misc]  # pykickstart carries no types
    """pykickstart's parser that remembers where everything stands."""

    def __init__(self, handler: Any, result: Kickstart) -> None:
        self.result = result
        self.files: list[str] = []
        self.line = 0
        super().__init__(handler)

    def where(self, line: int | None = None) -> str:
        """Return file and line of what is being read."""
        file = self.files[-1] if self.files else str(self.result.path)
        number = line or self.line
        return f"{file}:{number}" if number else file

    def setupSections(self) -> None:  # noqa: N802 – pykickstart's name
        """Take the standard sections and our own readers for %addon and the scripts."""
        super().setupSections()
        self.registerSection(_AddonSection(self))
        for name, section in list(self._sections.items()):
            if name in _SCRIPT_KINDS.values():
                self.registerSection(_located(section, self))

    def readKickstart(self, f: str, reset: bool = True) -> None:  # noqa: N802
        """Read a file, remembering which one for messages."""
        for _, folder in sorted(self.currentdir.items(), reverse=True):
            if not Path(f).exists() and (Path(folder) / f).exists():
                f = str(Path(folder) / f)
        if f in self.files:
            raise KickstartError(f"{f} includes itself", lineno=self.line, formatting=False)
        came_from = self.line
        if not Path(f).is_file():
            raise KickstartError(f"Unable to open input kickstart file: {f}", formatting=False)
        self.result.sources[f] = Path(f).read_text(encoding="utf-8", errors="strict")
        self.files.append(f)
        self.line = 0
        super().readKickstart(f, reset)
        self.files.pop()
        self.line = came_from

    def _isBlankOrComment(self, line: str) -> bool:  # noqa: N802
        self.line += 1  # the one place that pykickstart passes once for each line
        return bool(super()._isBlankOrComment(line))

    def handleCommand(self, lineno: int, args: list[str]) -> Any:  # noqa: N802
        """Record the command with its place."""
        self.line = lineno
        data = super().handleCommand(lineno, args)
        self.result.commands.append(Command(args[0], tuple(args[1:]), data, self.where()))
        return data


def _located(section: Any, parser: _Parser) -> Any:
    """Make a script section record its script with file and line when it ends."""
    original = section.finalize

    def finalize() -> None:
        before = len(parser.handler.scripts)
        original()
        for script in parser.handler.scripts[before:]:
            parser.result.scripts.append(Script(
                kind=_SCRIPT_KINDS[script.type], text=script.script,
                interpreter=script.interp or "/bin/sh", in_chroot=bool(script.inChroot),
                stop_on_error=bool(script.errorOnFail), log=script.logfile,
                where=parser.where(script.lineno),
            ))

    section.finalize = finalize
    return section


class _AddonSection(NullSection):  # type: ignore[misc]
    """Keeps an add-on's header and lines; what they mean is the add-on's own affair."""

    allLines = True  # noqa: N815

    def __init__(self, parser: _Parser) -> None:
        super().__init__(parser.handler, sectionOpen="%addon")
        self._parser = parser

    def handleHeader(self, lineno: int, args: list[str]) -> None:  # noqa: N802
        if len(args) < 2:
            raise KickstartError("%addon needs a name", lineno=lineno, formatting=False)
        self._words, self._lines, self._lineno = args[1:], list[str](), lineno

    def handleLine(self, line: str) -> None:  # noqa: N802
        self._lines.append(line.rstrip("\n"))

    def finalize(self) -> None:
        self._parser.result.addons.append(Addon(
            self._words[0], tuple(self._words[1:]), tuple(self._lines),
            self._parser.where(self._lineno),
        ))


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
    )
