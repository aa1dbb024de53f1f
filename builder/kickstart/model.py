"""A kickstart as plain data: commands, sections, scripts and packages, each with its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from builder.kickstart.sources import Given


def is_assignment(word: str) -> bool:
    """Say whether the first word of a line is NAME=VALUE, which no command of any dialect is."""
    return word.partition("=")[0].isidentifier() and "=" in word


@dataclass(frozen=True)
class Command:
    """One command line: its words, what pykickstart made of them, and where it stands.

    dialect: the language's version that took the line; another than the kickstart's own where
    that one no longer knows, or does not know yet, the command or one of its options.
    """

    name: str
    words: tuple[str, ...]
    data: Any
    where: str
    dialect: str = ""

    @property
    def is_stray(self) -> bool:
        """It is no command but an assignment such as `user=root`, as some public files have it."""
        return is_assignment(self.name)


@dataclass(frozen=True)
class Section:
    """The header of a section, such as `%post --erroronfail`: its words, and who took them."""

    name: str
    words: tuple[str, ...]
    where: str
    dialect: str = ""


@dataclass(frozen=True)
class Script:
    """One script section; in_chroot is False for --nochroot and for what runs before."""

    kind: str
    text: str
    interpreter: str
    in_chroot: bool
    stop_on_error: bool
    log: str | None
    where: str

    @property
    def identity(self) -> tuple[object, ...]:
        """What decides the script's effect: everything but its place."""
        return (self.kind, self.text, self.interpreter, self.in_chroot, self.stop_on_error,
                self.log)


@dataclass(frozen=True)
class Addon:
    """One %addon section: the words of its header and its lines, as they stand."""

    name: str
    words: tuple[str, ...]
    lines: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Certificate:
    """One %certificate section: --filename, --dir, --type and the certificate's text."""

    filename: str
    folder: str | None
    kind: str | None
    text: str
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
    multilib: bool = False
    default_environment: bool = False
    timeout_s: int | None = None
    retries: int | None = None


@dataclass
class Kickstart:
    """A kickstart as it was read; sources: the text of each file that it is made of.

    parts: what an %include came to, by the including file's name and the word, unless %pre wrote
    it. dialect: the version of the language that it was read as, pykickstart's name.
    """

    path: Given
    commands: list[Command] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    addons: list[Addon] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    packages: PackageSelection = field(default_factory=PackageSelection)
    sources: dict[str, str] = field(default_factory=dict)
    parts: dict[tuple[str, str], str] = field(default_factory=dict)
    dialect: str = ""

    def find(self, *names: str) -> list[Command]:
        """Return the commands of these names, in the order of the file."""
        return [command for command in self.commands if command.name in names]

    def lines(self, *names: str) -> Kickstart:
        """Return only what its commands, add-ons and certificates say: what settings are made of.

        names: of commands, and of add-ons as in "%addon NAME"; none: all of them.
        """
        return Kickstart(
            self.path, dialect=self.dialect,
            commands=[each for each in self.commands if not names or each.name in names],
            addons=[each for each in self.addons
                    if not names or f"%addon {each.name}" in names],
            certificates=[] if names else list(self.certificates))

    def scripts_of(self, *kinds: str) -> list[Script]:
        """Return the scripts of these kinds, such as "%post", in the order of the file."""
        return [script for script in self.scripts if script.kind in kinds]

    def where_of(self, word: str) -> str:
        """Return file and line of the first line that says just `word`, as in %packages."""
        for source, text in self.sources.items():
            for number, line in enumerate(text.splitlines(), start=1):
                if line.split("#")[0].strip() == word:
                    return f"{source}:{number}"
        return str(self.path)
