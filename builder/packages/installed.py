"""Which packages the finished tree holds: a %post may have removed some, or installed others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from builder.packages.choice import Choice
from builder.tree.tree import Tree, named
from host.errors import InputError, ProgramError
from host.jail import PLACE, run_jailed
from images.record import Package

FILE = "packages.json"
_FORMAT = r"%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
_KEY = "gpg-pubkey"  # an imported key, which rpm keeps as if it were a package
_BY_SCRIPT = "%post"
_DATABASE_BYTES = 1 << 30  # ten times the largest of ours
_FILES_MAX = 100  # bdb has twenty
_QUERY_S = 120


def note(tree: Tree, database: str, scratch: Path, results: Path) -> None:
    """Write what rpm's database lists into `results`; without a database, nothing is written.

    database: its folder in the tree. scratch: where a copy may lie, which the host's rpm is asked
    in a jail: a script may have made the database what it liked.
    Raises InputError when rpm can't read it, or when it is far too large or no plain files.
    """
    if not tree.files.is_folder(database):
        return
    copy = scratch / "rpm"
    copy.mkdir(mode=0o700)
    left_bytes = _DATABASE_BYTES
    with named(database):
        for name in tree.files.names(database)[:_FILES_MAX]:
            path = f"{database}/{name}"
            if not tree.files.is_folder(path, follow=False):
                tree.files.copy_out(path, copy / name, limit_bytes=left_bytes)
                left_bytes -= (copy / name).stat().st_size
    try:
        listing = run_jailed(["rpm", "--dbpath", PLACE, "-qa", "--qf", _FORMAT], copy,
                             time_s=_QUERY_S).stdout
    except ProgramError as error:
        raise _unreadable(database, error.why) from error
    rows = sorted(line.split("\t") for line in listing.splitlines())
    for row in rows:
        if len(row) != _FORMAT.count("%") or not row[1].isdecimal():
            raise _unreadable(database, f"a strange package: {' '.join(row)[:200]}")
    (results / FILE).write_text(
        json.dumps([row for row in rows if row[0] != _KEY]), encoding="utf-8")


def _unreadable(database: str, why: str | None) -> InputError:
    return InputError("the tree's rpm database can't be read", where=database, why=why,
                      remedy="see what wrote it: a script")


def packages(results: Path, choices: Sequence[Choice]) -> list[Package]:
    """Return the records of the packages that note() found.

    One that a script installed comes from no repository of the plan: it has no checksum here. A
    tree without a database is taken to hold what was chosen.
    """
    file = results / FILE
    if not file.is_file():
        return [choice.record for choice in choices]
    chosen = {_key(choice.record): choice.record for choice in choices}
    found = []
    for name, epoch, version, release, arch in json.loads(file.read_text(encoding="utf-8")):
        fresh = Package(name=name, epoch=int(epoch), version=version, release=release, arch=arch,
                        repository=_BY_SCRIPT, sha256="")
        found.append(chosen.get(_key(fresh), fresh))
    return found


def _key(package: Package) -> tuple[str, int, str]:
    return package.name, package.epoch, package.nevra
