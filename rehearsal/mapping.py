"""From the table and Debian's index to a plan: which RPMs there are, and what each requires."""

from __future__ import annotations

from dataclasses import dataclass, field

from host.errors import InputError
from rehearsal.debian import Index, choose, closure
from rehearsal.table import Entry, Table


@dataclass(frozen=True)
class Job:
    """One RPM to be made.

    version, release, epoch: rpm's. debs: the Debian packages it is made of.
    others: globs that other RPMs made of the same Debian packages claim.
    """

    name: str
    entry: Entry
    version: str
    release: str
    epoch: int
    arch: str
    summary: str
    debs: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    requires_pre: tuple[str, ...] = ()
    others: tuple[str, ...] = field(default=())


def plan(table: Table, index: Index) -> list[Job]:
    """Return every RPM of the repository, in order of its name.

    Raises InputError when the table names a Debian package that is not there.
    """
    common = table.common
    table = table.model_copy(update={"entries": {
        name: entry.model_copy(update={"debs": [resolve(deb, index) for deb in entry.debs]})
        for name, entry in table.entries.items()}})
    roots = {deb for entry in table.entries.values() for deb in entry.debs}
    needed = closure(roots | set(table.rename), index, common.dropped, common.prefer)
    carriers = carriers_of(table, needed)
    entries = dict(table.entries)
    listed = {deb for entry in entries.values() for deb in entry.debs}
    for deb in needed:
        if deb not in listed:
            entries[table.rename.get(deb, deb)] = Entry.model_validate({"from": [deb]})
    return [_job(name, entry, entries, table, index, carriers)
            for name, entry in sorted(entries.items())]


def resolve(deb: str, index: Index) -> str:
    """Return a Debian package's name; `x:depends` means what x depends on first.

    So is the newest kernel found: its name holds its version.
    """
    name, colon, _ = deb.partition(":depends")
    if not colon:
        return deb
    if name not in index.packages:
        raise InputError(f"Debian has no package {name}")
    return index.packages[name].depends[0][0]


def carriers_of(table: Table, debs: dict[str, list[str]]) -> dict[str, str]:
    """Return for each Debian package the RPM that stands for it in dependencies."""
    carriers: dict[str, str] = {}
    for whole in (True, False):
        for name, entry in table.entries.items():
            if (entry.files is None) == whole:
                for deb in entry.debs:
                    carriers.setdefault(deb, name)
    for deb in debs:
        carriers.setdefault(deb, table.rename.get(deb, deb))
    return carriers


def _job(
    name: str, entry: Entry, entries: dict[str, Entry], table: Table, index: Index,
    carriers: dict[str, str],
) -> Job:
    common = table.common
    requires, before = set(entry.requires), set(entry.requires_pre)
    for deb in entry.debs if entry.inherit else []:
        package = index.packages[deb]
        for groups, into in ((package.depends, requires), (package.pre_depends, before)):
            for group in groups:
                if any(one in entry.without for one in group):
                    continue
                chosen = choose(group, index, common.dropped, common.prefer)
                if chosen and carriers[chosen] != name:
                    into.add(carriers[chosen])
    first = index.packages[entry.debs[0]] if entry.debs else None
    epoch, version, release = rpm_version(first.version if first else f"{entry.version}-1")
    if entry.version and first:
        version = entry.version
    native = any(index.packages[deb].arch == "amd64" for deb in entry.debs)
    claims = {glob for other, one in entries.items() if other != name and one.files
              and set(one.debs) & set(entry.debs) for glob in one.files}
    return Job(
        name, entry, version, release, epoch, entry.arch or ("x86_64" if native else "noarch"),
        entry.summary or (first.summary if first else name), tuple(entry.debs),
        tuple(sorted(requires - before)), tuple(sorted(before)),
        tuple(sorted(claims)) if entry.files is None else (),
    )


def rpm_version(debian: str) -> tuple[int, str, str]:
    """Split a Debian version into rpm's epoch, version and release.

    rpm allows no hyphen in either, and orders `~` and digits as Debian does.
    """
    epoch, colon, rest = debian.partition(":")
    if not colon:
        epoch, rest = "0", debian
    version, hyphen, release = rest.rpartition("-")
    if not hyphen:
        version, release = rest, "1"
    return int(epoch), version.replace("-", "."), f"{release.replace('-', '.')}.rehearsal"
