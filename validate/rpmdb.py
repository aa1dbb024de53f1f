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
from host.patterns import pattern

DATABASE_NAMES = ("rpmdb.sqlite", "Packages.db", "Packages")
"""The main file of rpm's back ends: sqlite, ndb, bdb."""

_QUERY_S = 120
_OUTPUT_BYTES_MAX = 256 << 20
"""Five million files' worth; an image of ours has some 40,000."""
_SIGNATURE = "%|RSAHEADER?{%{RSAHEADER:pgpsig}}:{%|DSAHEADER?{%{DSAHEADER:pgpsig}}:" \
    "{%|SIGPGP?{%{SIGPGP:pgpsig}}:{%|SIGGPG?{%{SIGGPG:pgpsig}}:{-}|}|}|}|"
_LISTS = {"R": "REQUIRE", "P": "PROVIDE", "C": "CONFLICT", "O": "OBSOLETE"}
_FORMAT = (
    rf"N\t%{{NAME}}\t%{{EPOCHNUM}}\t%{{VERSION}}\t%{{RELEASE}}\t%{{ARCH}}\t{_SIGNATURE}"
    r"\t%{VENDOR}\t%{BUILDHOST}\t%{PACKAGER}\t%{FILEDIGESTALGO}\t%{LICENSE}\n"
    + "".join(rf"[{mark}\t%{{{tag}NAME}}\t%{{{tag}FLAGS}}\t%{{{tag}VERSION}}\n]"
              for mark, tag in _LISTS.items())
    + r"[F\t%{FILEMODES}\t%{FILEFLAGS}\t%{FILESTATES}\t%{FILEVERIFYFLAGS}\t%{LONGFILESIZES}"
    r"\t%{FILEDIGESTS}\t%{FILEUSERNAME}\t%{FILEGROUPNAME}\t%{FILECAPS}\t%{FILELINKTOS}"
    r"\t%{FILENAMES}\n]"
)
_KEY = "gpg-pubkey"
_NONE = "(none)"
_KEY_ID = r"Key ID ([0-9a-f]{16})"

CONFIG, DOC, GHOST, LICENSE = 1, 2, 1 << 6, 1 << 7
"""Flags of a packaged file (rpm, lib/rpmfiles.h)."""
SHA256 = 8
"""The digest of files that all packages since Fedora 12 use (PGPHASHALGO_SHA256)."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A file as its package has it. state: 0 installed; others were left out (rpmfileState)."""

    path: str
    mode: int
    size_bytes: int
    digest: str
    user: str
    group: str
    caps: str = ""
    target: str = ""
    flags: int = 0
    state: int = 0
    verify: int = -1


@dataclass(frozen=True, slots=True)
class Relation:
    """What a package requires, provides, …: a name, and a version if the flags compare one."""

    name: str
    flags: int = 0
    version: str = ""


@dataclass(frozen=True)
class Installed:
    """A package as the image's database has it.

    signed: it carries any signature. key_id: of the key that made it, 16 hexadecimal digits.
    """

    name: str
    epoch: int
    version: str
    release: str
    arch: str
    signed: bool
    key_id: str = ""
    vendor: str = ""
    build_host: str = ""
    packager: str = ""
    license: str = ""
    digest_algorithm: int = SHA256
    requires: tuple[Relation, ...] = ()
    provides: tuple[Relation, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    obsoletes: tuple[Relation, ...] = ()
    files: tuple[Packaged, ...] = ()

    @property
    def is_key(self) -> bool:
        """An imported public key, which rpm keeps as if it were a package."""
        return self.name == _KEY

    @property
    def nevra(self) -> str:
        """The name as `rpm -qa` prints it."""
        suffix = "" if self.is_key else f".{self.arch}"
        return f"{self.name}-{self.version}-{self.release}{suffix}"

    @property
    def evr(self) -> str:
        """Epoch, version and release, as rpm compares them."""
        return f"{self.epoch}:{self.version}-{self.release}"


def query(folder: Path) -> list[Installed]:
    """Return the packages in a copy of an rpm database, by name.

    folder: holds nothing but the database's files; given to `nobody`.
    Raises InputError when rpm can't read it, HostError when the host lacks bwrap or rpm.
    """
    need("bwrap", "rpm")
    try:
        done = run_jailed(["rpm", "--dbpath", PLACE, "-qa", "--qf", _FORMAT], folder,
                          time_s=_QUERY_S, output_bytes=_OUTPUT_BYTES_MAX)
    except ProgramError as error:
        raise InputError("the image's rpm database can't be read", why=str(error)) from error
    return sorted(_parsed(done.stdout), key=lambda one: one.nevra)


def _parsed(text: str) -> list[Installed]:
    """Return the packages that rpm printed by _FORMAT."""
    found: list[Installed] = []
    lists: dict[str, list[Relation]] = {}
    files: list[Packaged] = []
    head: list[str] = []

    def close() -> None:
        if head:
            found.append(_installed(head, lists, files))

    for line in text.split("\n"):
        mark, _, rest = line.partition("\t")
        fields = rest.split("\t")
        if mark == "N":
            close()
            head, lists, files = fields, {each: [] for each in _LISTS}, []
        elif mark in _LISTS and len(fields) == 3 and head:
            if fields[0] != _NONE:
                lists[mark].append(Relation(fields[0], _int(fields[1]), _word(fields[2])))
        elif mark == "F" and len(fields) == 11 and head:
            if fields[10] != _NONE:
                files.append(_packaged(fields))
        elif line:
            raise InputError("the image's rpm database has a strange package", why=line[:200])
    close()
    return found


def _packaged(fields: list[str]) -> Packaged:
    mode, flags, state, verify, size, digest, user, group, caps, target, path = fields
    return Packaged(path, _int(mode), _int(size), _word(digest), user, group, _word(caps),
                    _word(target), _int(flags), _int(state), _int(verify))


def _installed(
    fields: list[str], lists: dict[str, list[Relation]], files: list[Packaged],
) -> Installed:
    if len(fields) != 11 or not fields[1].isdigit():
        raise InputError("the image's rpm database has a strange package",
                         why="\t".join(fields)[:200])
    name, epoch, version, release, arch, signature, vendor, host, packager, algorithm, licence = \
        fields
    key = pattern(_KEY_ID).search(signature)
    return Installed(
        name, int(epoch), version, release, arch, signature not in ("-", _NONE),
        key[1] if key else "", _word(vendor), _word(host), _word(packager), _word(licence),
        _int(algorithm) if algorithm != _NONE else SHA256, tuple(lists["R"]), tuple(lists["P"]),
        tuple(lists["C"]), tuple(lists["O"]), tuple(files),
    )


def _word(text: str) -> str:
    return "" if text == _NONE else text


def _int(text: str) -> int:
    try:
        return int(text) if text != _NONE else 0
    except ValueError as error:
        raise InputError("the image's rpm database has a strange package", why=text[:200]) \
            from error
