"""The packages of an image, asked of a copy of its rpm database inside a sandbox.

The database is hostile input to a parser written in C. It could be read inside the appliance
only if rpm were part of it, which it is not on Debian; so a copy is read by the host's rpm in
an empty namespace: no network, no file but /usr and the copy, no rights, bounded memory and time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError, ProgramError
from host.run import run
from validate.programs import bounded, need

NOBODY = 65534
DATABASE_NAMES = ("rpmdb.sqlite", "Packages.db", "Packages")
"""The main file of rpm's back ends: sqlite, ndb, bdb."""

_QUERY_S = 120
_MEMORY_BYTES = 2 << 30
_LISTING_BYTES_MAX = 16 << 20
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

    folder: holds nothing but the database's files; given to `nobody` for the time of the query.
    Raises InputError when rpm can't read it, HostError when the host lacks bwrap or rpm.
    """
    need("bwrap", "rpm")
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    try:
        done = run(
            bounded(
                ["prlimit", f"--as={_MEMORY_BYTES}", f"--cpu={_QUERY_S}", "--", *_sandbox(folder),
                 "rpm", "--dbpath", "/db", "-qa", "--qf", _FORMAT], _LISTING_BYTES_MAX),
            timeout_s=_QUERY_S, cwd=Path("/"),
        )
    except ProgramError as error:
        raise InputError("the image's rpm database can't be read", why=str(error)) from error
    return sorted(
        (_installed(line) for line in done.stdout.splitlines()), key=lambda one: one.nevra,
    )


def _sandbox(folder: Path) -> list[str]:
    words = ["bwrap", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
             "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",  # noqa: S108
             "--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "LC_ALL", "C.UTF-8",
             "--bind", str(folder), "/db", "--chdir", "/"]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            words += ["--symlink", f"usr/{name}", f"/{name}"]
        elif Path("/", name).is_dir():
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    if os.geteuid() != 0:
        return [*words, "--unshare-all", "--"]
    # Root needs no user namespace, and leaves its rights behind once the sandbox stands.
    return [
        *words, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
        "--unshare-cgroup-try", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
        "--cap-add", "CAP_SETPCAP", "--",
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--",
    ]


def _installed(line: str) -> Installed:
    fields = line.split("\t")
    if len(fields) != 6 or not fields[1].isdigit():
        raise InputError("the image's rpm database has a strange package", why=line[:200])
    name, epoch, version, release, arch, signed = fields
    return Installed(name, int(epoch), version, release, arch, signed == "1")
