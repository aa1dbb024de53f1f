"""The package databases in a layer: their pages in a fixed order, no time but the epoch's.

Both are SQLite. Neither is deleted: rpm's is what the image is made of, and dnf's history is
where dnf keeps which packages were asked for and which came along; without it, `dnf autoremove`
and `dnf group list` would no longer work in the image.
A script may have made them what it liked, and SQLite is a parser written in C: a copy is written
anew in a jail (host/jail.py), and what comes out takes the place of the file.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from host.beneath.root import Root
from host.errors import InputError, ProgramError
from host.jail import PLACE, run_jailed
from host.scratch import scratch_folder

log = logging.getLogger(__name__)

RPM_DATABASES = ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite")
DNF_HISTORY = "/var/lib/dnf/history.sqlite"

LIMIT_BYTES = 1 << 30
"""No database of ours is a tenth as large."""

_TIME_S = 120
_BROKEN = 3  # the worker's exit status
# Logs that belong to a database, which SQLite folds in; -shm is only an index of the first
# (https://sqlite.org/tempfiles.html).
_LOGS, _INDEX = ("-wal", "-journal"), "-shm"
_WORKER = Path(__file__).with_name("sqlite_worker.py")


def settle_rpm(root: Root, inside: str) -> None:
    """Write rpm's database anew, so that its pages do not tell how often it was written.

    The time of installation in it is SOURCE_DATE_EPOCH already (rpm 4.18, lib/rpmts.c).
    """
    _rewrite(root, inside, [])


def settle_dnf_history(root: Root, inside: str, epoch: int) -> None:
    """Have every transaction take place at the epoch; forget what scriptlets printed meanwhile.

    The tables are those of libdnf, libdnf/transaction/sql/create.sql and its migrations. dnf 5
    has a file of another name and honours SOURCE_DATE_EPOCH itself.
    """
    _rewrite(root, inside, [
        ("UPDATE trans SET dt_begin = ?1, dt_end = iif(dt_end IS NULL, NULL, ?1)", [epoch]),
        ("DELETE FROM console_output", []),
    ])


def _rewrite(root: Root, inside: str, statements: Sequence[tuple[str, list[int]]]) -> None:
    """Change a database and write all of it anew; owner, mode and label stay.

    A log beside it is folded in and removed. What a script has broken is left to the validator,
    which will say so. Raises InputError for one that is too large or takes too long.
    """
    with scratch_folder("databases") as scratch:
        folder = scratch / "work"
        folder.mkdir(mode=0o700)
        root.copy_out(inside, folder / "old", limit_bytes=LIMIT_BYTES)
        for ending in _LOGS:
            if root.is_file(inside + ending, follow=False):
                root.copy_out(inside + ending, folder / f"old{ending}", limit_bytes=LIMIT_BYTES)
        python = Path(sys.executable).resolve()
        prefix = {} if python.is_relative_to("/usr") else {sys.base_prefix: Path(sys.base_prefix)}
        try:
            run_jailed(
                [python, "-I", "-S", "-c", _WORKER.read_text(encoding="utf-8"), f"{PLACE}/old",
                 f"{PLACE}/fresh", json.dumps(statements)],
                folder, time_s=_TIME_S, file_bytes=2 * LIMIT_BYTES, shown=prefix)
        except ProgramError as error:
            if error.status != _BROKEN:
                raise InputError(
                    f"{inside} can't be written anew", where=str(root.top), why=error.why,
                    remedy="see what wrote it: a package or a script",
                ) from error
            log.warning("%s is left as it is: %s", inside, error.why)
            return
        content = Root(folder).read("/fresh", 2 * LIMIT_BYTES)
    root.write(inside, content)
    for ending in (*_LOGS, _INDEX):
        if root.exists(inside + ending, follow=False) and not root.is_folder(
                inside + ending, follow=False):
            root.remove(inside + ending)
