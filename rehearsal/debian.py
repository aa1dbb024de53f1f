"""What Debian offers: the index of its packages, and which of them a set of packages needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from debian.deb822 import Deb822, PkgRelation

from host.errors import HostError, InputError
from host.run import run

# The host's own packages and pinning must not decide what the repository is made of.
APT_OPTIONS = ("-o", "Dir::State::status=/dev/null", "-o", "APT::Architecture=amd64",
               "-o", "APT::Architectures::=amd64")
_PACKAGE = re.compile(r"^Package: *(\S+)", re.M)


@dataclass(frozen=True)
class DebianPackage:
    """One package of the index. depends, pre_depends: groups of alternative package names."""

    name: str
    version: str
    arch: str
    sha256: str
    size_bytes: int
    filename: str = ""
    summary: str = ""
    homepage: str = ""
    depends: tuple[tuple[str, ...], ...] = ()
    pre_depends: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()


@dataclass
class Index:
    """All packages by name, and who provides each virtual one."""

    packages: Mapping[str, DebianPackage]
    providers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.providers:
            self.providers = _providers(self.packages.values())


def load_index() -> Index:
    """Read the index of the newest packages from the host's apt.

    Raises HostError when there is no apt, or when its lists were never fetched.
    """
    text = run(["apt-cache", *APT_OPTIONS, "dumpavail"], log_stdout=False).stdout
    packages = parse_index(text)
    if "libc6" not in packages:
        raise HostError("apt knows no packages", remedy="run apt-get update")
    return Index(packages, packages.providers())


class Stanzas(Mapping[str, DebianPackage]):
    """The stanzas of a Packages file by the names of packages, each read when it is asked for.

    There are 60,000 of which a repository needs some hundreds.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._read: dict[str, DebianPackage] = {}

    def __getitem__(self, name: str) -> DebianPackage:
        """Return a package; raises KeyError."""
        if name not in self._read:
            self._read[name] = _package(Deb822(self._texts[name]))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._texts)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._texts)

    def __contains__(self, name: object) -> bool:
        """Say whether there is a package, without reading it."""
        return name in self._texts

    def providers(self) -> dict[str, list[str]]:
        """Return who provides each virtual package."""
        return _providers(self[name] for name, text in self._texts.items()
                          if "\nProvides:" in text)


def parse_index(text: str) -> Stanzas:
    """Parse the stanzas of a Packages file; the last of a name wins."""
    named = ((_PACKAGE.search(stanza), stanza) for stanza in text.split("\n\n"))
    return Stanzas({found[1]: stanza for found, stanza in named
                    if found and "\nFilename:" in stanza})


def _package(fields: Mapping[str, str]) -> DebianPackage:
    return DebianPackage(
        fields["Package"], fields["Version"], fields.get("Architecture", "all"),
        fields.get("SHA256", ""), int(fields.get("Size", "0")), fields["Filename"],
        fields.get("Description", "").partition("\n")[0], fields.get("Homepage", ""),
        parse_relations(fields.get("Depends", "")), parse_relations(fields.get("Pre-Depends", "")),
        tuple(group[0] for group in parse_relations(fields.get("Provides", ""))),
    )


def _providers(packages: Iterable[DebianPackage]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for package in packages:
        for name in package.provides:
            found.setdefault(name, []).append(package.name)
    return found


def parse_relations(text: str) -> tuple[tuple[str, ...], ...]:
    """Parse `a (>= 1) | b, c:any` into groups of alternative names, versions dropped."""
    if not text:
        return ()
    return tuple(tuple(one["name"] for one in group)
                 for group in PkgRelation.parse_relations(text))


def choose(
    group: Iterable[str], index: Index, dropped: Iterable[str], prefer: Mapping[str, str],
) -> str | None:
    """Return which package fulfils a group of alternatives, None if none is wanted.

    dropped: names never wanted; a group that names one needs nothing else either, as with
    `debconf | debconf-2.0`. prefer: virtual name → package.
    Raises InputError when a name is unknown.
    """
    names = list(group)
    unwanted = set(dropped)
    if any(name in unwanted for name in names):
        return None
    for name in names:
        if name in prefer:
            return prefer[name]
    for name in names:
        if name in index.packages:
            return name
    providers = [one for name in names for one in index.providers.get(name, [])]
    for provider in providers:
        if provider not in unwanted:
            return provider
    if providers:
        return None
    raise InputError(f"Debian has no package {' or '.join(names)}")


def closure(
    roots: Iterable[str], index: Index, dropped: Iterable[str], prefer: Mapping[str, str],
) -> dict[str, list[str]]:
    """Return every package that the roots need, each with the packages it depends on.

    Raises InputError when a root or a dependency is not in the index.
    """
    unwanted = frozenset(dropped)
    found: dict[str, list[str]] = {}
    waiting = sorted(roots, reverse=True)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name not in index.packages:
            raise InputError(f"Debian has no package {name}")
        package = index.packages[name]
        chosen = [choose(group, index, unwanted, prefer)
                  for group in (*package.pre_depends, *package.depends)]
        found[name] = sorted({one for one in chosen if one and one != name})
        waiting += found[name]
    return found
