"""What a layer loses before it is kept: the hour of the build, wherever it may hide."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from builder.tree.databases import DNF_HISTORY, RPM_DATABASES, settle_rpm
from builder.tree.normalise import Hour, own, settle
from host.beneath.root import Root

EPOCH = 1_700_000_000
DAY = 86400
OLD_NS = 1_600_000_000 * 10**9 + 123_456_789


def test_times_after_the_epoch_become_the_epoch_and_older_ones_keep_their_seconds(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("old", "new", "folder/inner"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("nowhere")
    os.utime(tmp_path / "old", ns=(OLD_NS, OLD_NS))
    settle(tmp_path, EPOCH, time.time(), "scripts")
    found = {path.name: path.lstat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}
    assert found.pop("old") == OLD_NS // 10**9 * 10**9
    assert found.keys() == {tmp_path.name, "folder", "new", "inner", "link"}
    assert set(found.values()) == {EPOCH * 10**9}


def test_a_host_whose_clock_is_behind_the_epoch_leaves_no_trace_either() -> None:
    now = 1_650_000_000
    hour = Hour(epoch=EPOCH, started_s=now + 0.7, ended_s=now + 60.2)
    assert hour.settled((now + 5) * 10**9) == EPOCH * 10**9
    assert hour.settled(now * 10**9) == EPOCH * 10**9, "file systems may round down"
    assert hour.settled((now + 61) * 10**9) == (now + 61) * 10**9, "a package's own time"
    assert hour.settled((now - 1) * 10**9) == (now - 1) * 10**9


def test_the_day_of_a_password_is_that_of_the_epoch_if_it_was_set_by_the_build(
    tmp_path: Path,
) -> None:
    today = int(time.time()) // DAY
    (tmp_path / "etc").mkdir()
    shadow = tmp_path / "etc/shadow"
    shadow.write_text(
        f"today:!:{today}:0:99999:7:::\nforced:!:0:0:99999:7:::\nempty:!::0:99999:7:::\n"
        f"earlier:!:12345:0:99999:7:::\nfuture:!:{today + 400}:0:99999:7:::\n+::x\n")
    shadow.chmod(0o000)
    settle(tmp_path, EPOCH, time.time(), "scripts")
    assert shadow.read_text() == (
        f"today:!:{EPOCH // DAY}:0:99999:7:::\nforced:!:0:0:99999:7:::\nempty:!::0:99999:7:::\n"
        f"earlier:!:12345:0:99999:7:::\nfuture:!:{today + 400}:0:99999:7:::\n+::x\n")
    assert shadow.stat().st_mode & 0o777 == 0 and shadow.stat().st_mtime == EPOCH


def test_notes_on_the_build_hosts_file_system_go(tmp_path: Path) -> None:
    notes = tmp_path / "var/cache/ldconfig/aux-cache"
    notes.parent.mkdir(parents=True)
    notes.write_bytes(b"glibc-ld.so.auxcache-1.0 inodes")
    settle(tmp_path, EPOCH, time.time(), "scripts")
    assert not notes.exists() and notes.parent.stat().st_mtime == EPOCH


def test_an_immutable_file_does_not_end_the_build(tmp_path: Path) -> None:
    file = tmp_path / "immutable"
    file.write_text("x")
    if subprocess.run(["chattr", "+i", file], check=False, capture_output=True).returncode:
        pytest.skip("this file system or user can't have immutable files")
    try:
        settle(tmp_path, EPOCH, time.time(), "scripts")
    finally:
        subprocess.run(["chattr", "-i", file], check=True)
    assert file.read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="trusted attributes are root's")
def test_a_file_whose_content_is_in_a_layer_below_is_not_this_layers_own(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(10))
    assert own(Root(tmp_path), "/file")
    try:
        os.setxattr(file, "trusted.overlay.metacopy", b"")
    except OSError:
        pytest.skip("this file system has no trusted attributes")
    assert not any(own(Root(tmp_path), path) for path in ("/file", "/", "/file/below", "/absent"))


def history(path: Path, clock: int, said: str) -> bytes:
    """Make a history as libdnf does, and return the bytes that are left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE trans (id INTEGER PRIMARY KEY AUTOINCREMENT, "
                     "dt_begin INTEGER NOT NULL, dt_end INTEGER, cmdline TEXT)")
    database.execute("CREATE TABLE console_output (id INTEGER PRIMARY KEY, trans_id INTEGER "
                     "REFERENCES trans(id), file_descriptor INTEGER NOT NULL, line TEXT)")
    database.execute("INSERT INTO trans VALUES (1, ?, ?, 'install')", (clock, clock + 7))
    database.execute("INSERT INTO trans VALUES (2, ?, NULL, 'cut short')", (clock + 9,))
    database.execute("INSERT INTO console_output VALUES (1, 1, 1, ?)", (said,))
    database.commit()
    settle(path.parents[3], EPOCH, time.time(), "scripts")
    database.close()
    return path.read_bytes()


def test_dnfs_history_keeps_what_was_done_and_forgets_when(tmp_path: Path) -> None:
    one = history(tmp_path / "1" / DNF_HISTORY.lstrip("/"), 1_800_000_000, "pid 4711")
    two = history(tmp_path / "2" / DNF_HISTORY.lstrip("/"), 1_900_000_000, "pid 8")
    assert one == two
    database = sqlite3.connect(tmp_path / "1" / DNF_HISTORY.lstrip("/"))
    assert database.execute("SELECT * FROM trans").fetchall() == [
        (1, EPOCH, EPOCH, "install"), (2, EPOCH, None, "cut short")]
    assert database.execute("SELECT * FROM console_output").fetchall() == []
    assert {path.name for path in (tmp_path / "1" / DNF_HISTORY.lstrip("/")).parent.iterdir()} == {
        "history.sqlite"}


def packages(path: Path, detours: int) -> bytes:
    """Make a database as rpm does, with rows that come and go meanwhile, and settle it."""
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    database.execute("CREATE TABLE Name (key TEXT NOT NULL, hnum INTEGER NOT NULL)")
    database.execute("CREATE INDEX Name_key_idx ON Name(key ASC)")
    for number in range(detours):
        database.execute("INSERT INTO Packages VALUES (?, ?)", (1000 + number, bytes(5000)))
        database.commit()
    database.execute("DELETE FROM Packages")
    for number in range(50):
        database.execute("INSERT INTO Packages VALUES (?, ?)", (number, bytes([number]) * 3000))
        database.execute("INSERT INTO Name VALUES (?, ?)", (f"package{number}", number))
    database.commit()
    database.close()
    settle_rpm(Root(path.parent), f"/{path.name}")
    return path.read_bytes()


def test_rpms_database_does_not_tell_how_often_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / Path(RPM_DATABASES[0]).name
    path.touch()
    path.chmod(0o640)
    one, two = packages(path, 0), packages(tmp_path / "other.sqlite", 30)
    assert one == two
    assert path.stat().st_mode & 0o777 == 0o640
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert database.execute("SELECT count(*) FROM Packages").fetchone() == (50,)


def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / RPM_DATABASES[0].lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database at all, said the script that wrote it\n" * 100)
    before = path.read_bytes()
    settle(tmp_path, EPOCH, time.time(), "scripts")
    assert path.read_bytes() == before
