"""The package databases in a layer: their pages in a fixed order, no time but the epoch's.

Both are SQLite. Neither is deleted: rpm's is what the image is made of, and dnf's history is
where dnf keeps which packages were asked for and which came along; without it, `dnf autoremove`
and `dnf group list` would no longer work in the image.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)

RPM_DATABASES = ("usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite")
DNF_HISTORY = "var/lib/dnf/history.sqlite"


def settle_rpm(path: Path) -> None:
    """Write rpm's database anew, so that its pages do not tell how often it was written.

    The time of installation in it is SOURCE_DATE_EPOCH already (rpm 4.18, lib/rpmts.c).
    """
    _rewrite(path, [])


def settle_dnf_history(path: Path, epoch: int) -> None:
    """Have every transaction take place at the epoch; forget what scriptlets printed meanwhile.

    The tables are those of libdnf, libdnf/transaction/sql/create.sql and its migrations. dnf 5
    has a file of another name and honours SOURCE_DATE_EPOCH itself.
    """
    _rewrite(path, [
        ("UPDATE trans SET dt_begin = ?1, dt_end = iif(dt_end IS NULL, NULL, ?1)", (epoch,)),
        ("DELETE FROM console_output", ()),
    ])


def _rewrite(path: Path, statements: Sequence[tuple[str, tuple[int, ...]]]) -> None:
    """Change a database and write all of it anew; file, owner, mode and label stay.

    A write-ahead log beside it is folded in and removed. VACUUM INTO copies tables and indices in
    their order into fresh pages (https://sqlite.org/lang_vacuum.html). What a script has broken
    is left to the validator, which will say so.
    """
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch, "fresh.sqlite")
        try:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
                for statement, values in statements:
                    database.execute(statement, values)
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                database.execute("VACUUM INTO ?", (str(fresh),))
        except sqlite3.DatabaseError as error:
            log.warning("%s is left as it is: %s", path, error)
            return
        path.write_bytes(fresh.read_bytes())
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
