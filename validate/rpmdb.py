"""The packages of an image, asked of a copy of its rpm database inside a sandbox.

The database is hostile input to a parser written in C. It could be read inside the appliance
only if rpm were part of it, which it is not on Debian; so a copy is read by the host's rpm in
a jail (host/jail.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError, ProgramError
from host.jail import PLACE, need, run_jailed

DATABASE_NAMES = ("rpmdb.sqlite", "Packages.db", "Packages")
"""The main file of rpm's back ends: sqlite, ndb, bdb."""

_QUERY_S = 120
_SIGNED = "%|RSAHEADER?{1}:{%|DSAHEADER?{1}:{%|SIGPGP?{1}:{%|SIGGPG?{1}:{0}|}|}|}|"
_FORMAT = rf"%{{NAME}}\t%{{EPOCHNUM}}\t%{{VERSION}}\t%{{RELEASE}}\t%{{ARCH}}\t{_SIGNED}\n"
_KEY = "gpg-pubkey"


@dataclass(frozen=True)
class Installed:
    """A package as the image's database has it; signed: it carries any signature."""

    name: str
    epoch: int
    version: str
    release: str
    arch: str
    signed: bool

    @property
    def is_key(self) -> bool:
        """An imported public key, which rpm keeps as if it were a package."""
        return self.name == _KEY

    @property
    def nevra(self) -> str:
        """The name as `rpm -qa` prints it."""
        suffix = "" if self.is_key else f".{self.arch}"
        return f"{self.name}-{self.version}-{self.release}{suffix}"


def query(folder: Path) -> list[Installed]:
    """Return the packages in a copy of an rpm database, by name.

    folder: holds nothing but the database's files; given to `nobody`.
    Raises InputError when rpm can't read it, HostError when the host lacks bwrap or rpm.
    """
    need("bwrap", "rpm")
    try:
        done = run_jailed(["rpm", "--dbpath", PLACE, "-qa", "--qf", _FORMAT], folder,
                          time_s=_QUERY_S)
    except ProgramError as error:
        raise InputError("the image's rpm database can't be read", why=str(error)) from error
    return sorted(
        (_installed(line) for line in done.stdout.splitlines()), key=lambda one: one.nevra,
    )


def _installed(line: str) -> Installed:
    fields = line.split("\t")
    if len(fields) != 6 or not fields[1].isdigit():
        raise InputError("the image's rpm database has a strange package", why=line[:200])
    name, epoch, version, release, arch, signed = fields
    return Installed(name, int(epoch), version, release, arch, signed == "1")
