"""What works on a tree: copies, bounds, jails and media hold whatever the tree has in it."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import sqlite3
import stat
import struct
import time
from pathlib import Path

import pytest

from builder.booting import initramfs_names
from builder.booting.initramfs_names import names
from builder.sandbox.beside import TREE, run_beside
from builder.sandbox.sandbox import Sandbox
from builder.scripting.pre import read_table
from builder.tree import databases
from builder.tree.bounds import LEVELS_MAX, check_depth
from builder.tree.normalise import settle
from builder.tree.tree import Tree
from host.beneath.copy import copy_tree
from host.beneath.root import Root
from host.errors import InputError, ProgramError
from host.jail import PLACE, run_jailed
from tests.security.hostile_trees import SECRET, secrets_in, seen

EPOCH = 1_700_000_000

pytestmark = [pytest.mark.timeout(120),
              pytest.mark.skipif(os.geteuid() != 0, reason="devices and sandboxes need root")]


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/file").write_bytes(SECRET)
    return tmp_path / "victim"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    (tmp_path / "root").mkdir()
    return Root(tmp_path / "root")


def nest(root: Root, name: str, levels: int) -> None:
    """Make folders in folders, however deep, without naming them by their path."""
    here = os.open(root.top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        down = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = down
    os.close(here)


@pytest.mark.parametrize(("name", "levels"), [("d", 1500), ("d", LEVELS_MAX + 1), ("n" * 250, 13)])
def test_a_tree_that_can_not_be_packed_is_named_by_the_step_that_made_it(
    root: Root, name: str, levels: int,
) -> None:
    nest(root, name, levels)
    try:
        with pytest.raises(InputError, match="nested too deeply after scripts") as caught:
            settle(root.top, EPOCH, time.time(), "scripts")
        where = str(caught.value.where)
        assert where.startswith(f"/{name}"[:50]) and len(where) < 80
        with pytest.raises(InputError, match="nested too deeply after %pre"):
            check_depth(root, "%pre")
    finally:
        root.remove(f"/{name}")


def test_folders_as_deep_as_anybody_needs_pass(root: Root) -> None:
    nest(root, "d", LEVELS_MAX)
    assert settle(root.top, EPOCH, time.time(), "scripts") is False
    root.remove("/d")


def test_a_folder_moved_from_below_is_reported_so_that_the_whole_is_looked_at(root: Root) -> None:
    root.make_folder("/moved")
    root.set_attribute("/moved", "trusted.overlay.redirect", b"/old/place")
    assert settle(root.top, EPOCH, time.time(), "scripts") is True


def test_a_copy_has_all_but_devices_and_follows_nothing(
    root: Root, victim: Path, tmp_path: Path,
) -> None:
    top = root.top
    root.make_folder("/etc/deep", 0o710)
    root.write("/etc/deep/file", b"content", 0o640)
    os.setxattr(top / "etc/deep/file", "user.note", b"kept")
    (top / "out").symlink_to(victim)
    (top / "file").symlink_to(victim / "file")
    os.mkfifo(top / "fifo")
    os.mknod(top / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    with (top / "huge").open("wb") as stream:
        stream.truncate(1 << 40)
    os.utime(top / "etc", ns=(5, 7 * 10**9))
    before = seen(victim)
    copy = tmp_path / "copy"
    copy_tree(root, copy)
    assert seen(victim) == before and secrets_in(copy) == []
    assert Root(copy).names("/") == ["etc", "fifo", "file", "huge", "out"]
    assert (copy / "out").readlink() == victim and stat.S_ISFIFO((copy / "fifo").lstat().st_mode)
    assert (copy / "huge").stat().st_size == 1 << 40 and (copy / "huge").stat().st_blocks == 0
    assert (copy / "etc").stat().st_mtime_ns == 7 * 10**9
    assert stat.S_IMODE((copy / "etc/deep").stat().st_mode) == 0o710
    assert stat.S_IMODE((copy / "etc/deep/file").stat().st_mode) == 0o640
    assert os.getxattr(copy / "etc/deep/file", "user.note") == b"kept"


def test_writing_a_file_anew_leaves_its_folders_time(root: Root) -> None:
    root.make_folder("/etc")
    root.write("/etc/file", b"old")
    os.utime(root.top / "etc", ns=(5, 7))
    root.write("/etc/file", b"new")
    assert (root.top / "etc").stat().st_mtime_ns == 7
    root.write("/etc/other", b"new")
    assert (root.top / "etc").stat().st_mtime_ns != 7


def cpio(name: bytes, size: bytes = b"00000000", name_size: int | None = None) -> bytes:
    """Return a cpio archive's header with one name (newc)."""
    count = len(name) + 1 if name_size is None else name_size
    head = b"070701" + b"00000000" * 6 + size + b"00000000" * 4 + b"%08x" % count + b"00000000"
    return (head + name + b"\0").ljust(-(-(110 + len(name) + 1) // 4) * 4, b"\0")


@pytest.mark.parametrize(("content", "why"), [
    (gzip.compress(cpio(b"x", b"00500000") + bytes(5 << 20), mtime=0), "unpacks to more than"),
    (bz2.compress(bytes(5 << 20)), "unpacks to more than"),
    (bytes(5 << 20), "unpacks to more than"),
    (gzip.compress(gzip.compress(cpio(b"TRAILER!!!"), mtime=0), mtime=0), "no cpio archive"),
    (struct.pack("<BIq", 0x5D, 3 << 30, -1) + bytes(100), "limit"),
    (gzip.compress(cpio(b"x"), mtime=0)[:-30] + b"broken" * 5, ""),
    (cpio(b"x", b"-0000001"), "header"), (cpio(b"x", b"0x1_0_00"), "header"),
    (cpio(b"x", name_size=1 << 30), "too long"),
    (b"".join(cpio(b"%d" % number) for number in range(30)), "more than 20 names"),
])
def test_an_initramfs_that_swells_is_named(
    content: bytes, why: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(initramfs_names, "LIMIT_BYTES", 4 << 20)
    monkeypatch.setattr(initramfs_names, "_NAMES_MAX", 20)
    with pytest.raises(InputError, match="the initramfs can't be read") as caught:
        list(names(io.BytesIO(content), "x.img"))
    assert why in str(caught.value.why)


def test_a_database_that_never_ends_is_named(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_TIME_S", 3)
    root.make_folder("/var/lib/dnf")
    with sqlite3.connect(root.top / "var/lib/dnf/history.sqlite") as connection:
        connection.executescript("""
            CREATE TABLE trans (dt_begin, dt_end); INSERT INTO trans VALUES (1, 2);
            CREATE TABLE console_output (line); INSERT INTO console_output VALUES (1);
            CREATE TRIGGER forever AFTER UPDATE ON trans BEGIN
              DELETE FROM console_output WHERE line = (WITH RECURSIVE n(i) AS
                (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n);
            END""")
    with pytest.raises(InputError, match="too much time"):
        settle(root.top, EPOCH, time.time(), "scripts")


@pytest.mark.parametrize("path", ["/etc/passwd", "/root", "/proc/1/root/etc", "/var/lib"])
def test_a_jailed_program_sees_nothing_of_the_host(tmp_path: Path, path: str) -> None:
    with pytest.raises(ProgramError):
        run_jailed(["ls", path], tmp_path, time_s=20)


def test_a_jailed_program_has_no_rights_no_network_and_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    work = tmp_path / "work"
    work.mkdir()
    script = ("id -u; grep CapEff /proc/self/status; ls /sys/class/net /proc/net/dev 2>/dev/null;"
              f"cat /proc/*/environ | tr '\\0' '\\n' | grep SECRET; touch {PLACE}/mine;"
              "grep -c : /proc/net/dev; touch /usr/x 2>&1")
    done = run_jailed(["bash", "-c", f"{script}; true"], work, time_s=20)
    assert done.stdout.split()[:3] == ["65534", "CapEff:", "0000000000000000"]
    assert "SECRET" not in done.stdout and "Read-only" in done.stdout
    assert (work / "mine").exists()


@pytest.mark.parametrize("argv", [
    ["sleep", "30"], ["bash", "-c", "while :; do :; done"], ["yes"],
    ["bash", "-c", f"yes > {PLACE}/full"],
])
def test_a_jailed_program_that_wants_too_much_is_named(tmp_path: Path, argv: list[str]) -> None:
    with pytest.raises(InputError, match="too much time, memory or space"):
        run_jailed(argv, tmp_path, time_s=2, output_bytes=1 << 20, file_bytes=1 << 20)


def test_a_program_beside_a_tree_reaches_the_tree_alone(root: Root, victim: Path) -> None:
    (root.top / "out").symlink_to(victim)
    (root.top / "up").symlink_to("../../../victim")
    os.mknod(root.top / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    before = seen(victim)
    done = run_beside(
        root.top, ["bash", "-c", f"cd {TREE}; cat out/file up/file; touch out/new up/new; "
                   "head -c 1 zero; touch /usr/new; mount -t tmpfs none /tmp; touch mine; "
                   "mknod disk b 8 0; grep CapEff /proc/self/status"],
        rights=["CAP_DAC_OVERRIDE"], timeout_s=20)
    assert done.stdout.split() == ["CapEff:", "0000000000000002"]
    assert seen(victim) == before and root.names("/") == ["mine", "out", "up", "zero"]


def test_a_disk_that_scripts_wrote_is_read_in_a_jail(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as stream:
        stream.truncate(64 << 20)
    assert read_table(disk) is None
    disk.write_bytes(os.urandom(1 << 20))
    assert read_table(disk) is None


def test_a_fifo_that_a_program_of_the_tree_would_wait_on_is_named(root: Root) -> None:
    os.mkfifo(root.top / "fifo")
    root.link("/link", "/fifo")
    tree = Tree(root.top, Sandbox(root.top, 0))
    tree.need_plain("/absent", "/")
    for path in ("/fifo", "/link"):
        with pytest.raises(InputError, match="is a FIFO"):
            tree.need_plain(path)


