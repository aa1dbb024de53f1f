"""What Debian offers: the index of its packages, and which of them a set of packages needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from host.errors import HostError, InputError
from host.run import run

# The host's own packages and pinning must not decide what the repository is made of.
APT_OPTIONS = ("-o", "Dir::State::status=/dev/null", "-o", "APT::Architecture=amd64",
               "-o", "APT::Architectures::=amd64")
_WANTED = {"Package", "Version", "Depends", "Pre-Depends", "Provides", "Filename", "SHA256",
           "Size", "Description", "Homepage", "Architecture"}
_NAME = re.compile(r"^([a-z0-9][a-z0-9+.-]*)")


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

    packages: dict[str, DebianPackage]
    providers: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for package in self.packages.values():
            for name in package.provides:
                self.providers.setdefault(name, []).append(package.name)


def load_index() -> Index:
    """Read the index of the newest packages from the host's apt.

    Raises HostError when there is no apt, or when its lists were never fetched.
    """
    text = run(["apt-cache", *APT_OPTIONS, "dumpavail"], log_stdout=False).stdout
    packages = parse_index(text)
    if "libc6" not in packages:
        raise HostError("apt knows no packages", remedy="run apt-get update")
    return Index(packages)


def parse_index(text: str) -> dict[str, DebianPackage]:
    """Parse the stanzas of a Packages file; the last of a name wins."""
    packages = {}
    for stanza in text.split("\n\n"):
        fields = {
            key: value for line in stanza.split("\n") if line[:1] not in (" ", "\t", "")
            for key, _, value in [line.partition(": ")] if key in _WANTED
        }
        if "Package" not in fields or "Filename" not in fields:
            continue
        packages[fields["Package"]] = DebianPackage(
            fields["Package"], fields["Version"], fields.get("Architecture", "all"),
            fields.get("SHA256", ""), int(fields.get("Size", "0")), fields["Filename"],
            fields.get("Description", ""), fields.get("Homepage", ""),
            parse_relations(fields.get("Depends", "")),
            parse_relations(fields.get("Pre-Depends", "")),
            tuple(group[0] for group in parse_relations(fields.get("Provides", ""))),
        )
    return packages


def parse_relations(text: str) -> tuple[tuple[str, ...], ...]:
    """Parse `a (>= 1) | b, c:any` into groups of alternative names, versions dropped."""
    groups = []
    for group in text.split(","):
        matches = (_NAME.match(part.strip()) for part in group.split("|"))
        if names := tuple(match[1] for match in matches if match):
            groups.append(names)
    return tuple(groups)


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
