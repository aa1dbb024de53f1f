"""Which packages the finished tree holds: a %post may have removed some, or installed others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from builder.root.packages import Choice
from builder.tree.tree import Tree
from host.run import run
from images.record import Package

FILE = "packages.json"
_FORMAT = r"%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
_KEY = "gpg-pubkey"  # an imported key, which rpm keeps as if it were a package
_BY_SCRIPT = "%post"


def note(tree: Tree, database: str, scratch: Path, results: Path) -> None:
    """Write what rpm's database lists into `results`; without a database, nothing is written.

    database: its folder in the tree. scratch: where a copy may lie, because even a query leaves
    files beside a database.
    """
    source = tree.path(database)
    if not source.is_dir():
        return
    copy = scratch / "rpm"
    shutil.copytree(source, copy)
    listing = run(["rpm", "--dbpath", copy, "-qa", "--qf", _FORMAT]).stdout
    rows = sorted(line.split("\t") for line in listing.splitlines())
    (results / FILE).write_text(
        json.dumps([row for row in rows if row[0] != _KEY]), encoding="utf-8")


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
