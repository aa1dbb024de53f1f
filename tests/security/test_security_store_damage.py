"""Whatever lies in the store: a record that is none, a damaged result, odd trees; no run ends."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.store.entries import flaw_of, read_entry
from builder.store.store import Store, open_store
from host.beneath.remove import remove_tree
from host.locks import locked
from tests.security.stores import CCIS, VICTIM, fill, make

RECORDS = {
    "a list": b"[]", "a number": b"7", "nothing": b"", "half": b'{"step": "st', "null": b"null",
    "not UTF-8": b'{"step": "\xff\xfe"}', "deep": b"[" * 200_000, "surrogates": b'"\\ud800"',
    "keys missing": b'{"step": "step", "digest": "one"}', "huge": b" " * (17 << 20) + b"{}",
}


def _changed(**values: object) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(json.loads(content) | values).encode()


WRONG = {
    "bytes": _changed(bytes="many"), "negative": _changed(bytes=-1), "huge": _changed(bytes=10**80),
    "inputs": _changed(inputs=["a"]), "label": _changed(label=None), "things": _changed(things=[]),
    "another step": _changed(step="other"), "another digest": _changed(digest="two"),
    "manifest": _changed(manifest=["a"]), "no number": _changed(bytes=float("nan")),
}


@pytest.mark.parametrize("kind", [*RECORDS, *WRONG])
def test_a_record_that_is_none_is_a_miss(opened: Store, kind: str) -> None:
    path, _ = make(opened, "one")
    opened.release()
    record = path / "entry.json"
    record.write_bytes(RECORDS[kind] if kind in RECORDS else WRONG[kind](record.read_bytes()))
    assert opened.find("step", "one") is None
    assert opened.newest("step", "an image") is None and opened.usage() == []
    assert not make(opened, "one")[1] and make(opened, "one")[1]
    opened.release()
    record.write_bytes(b"[]")
    open_store()
    assert not path.exists(), "nobody can use it: it makes room"


@pytest.mark.parametrize("damage", [
    lambda path: shutil.rmtree(path / "data/layer"), lambda path: shutil.rmtree(path / "data"),
    lambda path: (path / "data/files/qcow2").unlink(), lambda path: (path / "entry.json").unlink(),
    lambda path: ((path / "entry.json").unlink(), (path / "entry.json").mkdir()),
    lambda path: ((path / "entry.json").unlink(), os.mkfifo(path / "entry.json")),
    lambda path: ((path / "entry.json").unlink(),
                  (path / "entry.json").symlink_to("/dev/zero")),
    lambda path: (shutil.rmtree(path / "uses"), (path / "uses").write_text("")),
    lambda path: (shutil.rmtree(path), path.write_text("a file")),
    lambda path: (shutil.rmtree(path), os.mkfifo(path)),
    lambda path: (shutil.rmtree(path.parent), path.parent.write_text("a file")),
    lambda path: subprocess.run(["chattr", "-R", "+i", path], check=True),
    lambda path: subprocess.run(["chmod", "-R", "000", path], check=True),
], ids=range(13))
def test_a_result_that_is_damaged_is_made_anew(
    opened: Store, damage: Callable[[Path], object],
) -> None:
    path, _ = make(opened, "one")
    opened.release()
    damage(path)
    opened.newest("step", "an image")
    opened.usage()
    found, _ = make(opened, "one")
    opened.settle()
    assert (found / "data/layer/usr/bin/su").is_file() and read_entry(found)
    opened.release()
    opened.limit_bytes = 0
    opened.sweep()
    assert not path.exists()


def test_a_link_in_the_store_leads_nowhere(tmp_path: Path, opened: Store) -> None:
    victim = tmp_path / "victim"
    path, _ = make(opened, "one")
    opened.release()
    path.rename(victim)
    path.symlink_to(victim)
    before = sorted((str(each), each.lstat().st_mtime_ns) for each in victim.rglob("*"))
    assert opened.find("step", "one") is None
    opened.note_use("step", "one", "another image")
    assert not make(opened, "one")[1]
    opened.release()
    shutil.rmtree(path.parent)
    path.parent.symlink_to(victim.parent)
    opened.note_use("step", "victim", "another image")
    opened.limit_bytes = 0
    opened.sweep()
    assert not make(opened, "one")[1] and path.parent.is_dir() and not path.parent.is_symlink()
    assert sorted((str(each), each.lstat().st_mtime_ns) for each in victim.rglob("*")) == before


def _deep(folder: Path) -> None:
    where = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=where)
        below = os.open("d", os.O_RDONLY, dir_fd=where)
        os.close(where)
        where = below
    os.close(where)


def _odd(folder: Path) -> None:
    for name in (b"\xff\xfe", b"a\nb", b"\x1b[31m", b" ", b"-rf", b"x" * 255):
        (folder / os.fsdecode(name)).mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "locked").mkdir(mode=0)
    (folder / "fixed").write_text("x")
    subprocess.run(["chattr", "+i", folder / "fixed"], check=True)
    (folder / "still").mkdir()
    (folder / "still/inside").write_text("x")
    subprocess.run(["chattr", "+i", folder / "still"], check=True)


@pytest.mark.parametrize("how", [_deep, _odd])
def test_whatever_a_step_leaves_can_be_listed_and_evicted(
    opened: Store, how: Callable[[Path], None],
) -> None:
    path, _ = make(opened, "one", how)
    assert opened.usage()[0][2] > 0
    assert make(opened, "one", how) == (path, True)
    opened.release()
    for words in (["store", "list"], ["store", "list", "--json"], ["store", "clean"]):
        done = subprocess.run([CCIS, *words], env=dict(os.environ), capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    assert not path.exists()


@pytest.mark.parametrize("how", [_deep, _odd])
def test_a_step_that_fails_leaves_nothing_whatever_it_made(
    opened: Store, how: Callable[[Path], None],
) -> None:
    def fails(folder: Path) -> None:
        how(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        make(opened, "one", fails)
    assert list((opened.root / "staging").iterdir()) == []


def test_the_room_of_another_thing_makes_way(opened: Store) -> None:
    for name in ("objects", "locks", "staging", "packages", "metadata"):
        remove_tree(opened.root / name)
        (opened.root / name).write_text("a file")
    store = open_store()
    make(store, "one")
    assert store.packages.is_dir() and store.metadata.is_dir()


def test_names_that_are_long_have_a_lock_and_a_use_as_well(opened: Store) -> None:
    label = "ä" * 200
    opened.make("step" * 20, "d" * 64, inputs={}, label=label, fill=fill)
    newest = opened.newest("step" * 20, label)
    assert newest is not None and newest.label == label


def test_a_lock_file_of_another_kind_makes_way(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text(VICTIM)
    path = tmp_path / "lock"
    for make_it in (lambda: path.symlink_to(victim), path.mkdir, lambda: os.mkfifo(path),
                    lambda: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))):
        make_it()
        with locked(path):
            assert stat.S_ISREG(path.lstat().st_mode) and path.stat().st_mode & 0o077 == 0
        path.unlink()
    assert victim.read_text() == VICTIM


def test_the_limit_holds_for_the_results_of_a_build_as_well(opened: Store) -> None:
    make(opened, "one")
    opened.limit_bytes = 1
    opened.release()
    opened.sweep()
    assert opened.usage() == []


KINDS = ("delete", "truncate", "garbage", "fifo", "link", "folder", "device", "mode", "immutable",
         "deep", "old", "future")


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[int, str]]:
    return draw(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(KINDS)), min_size=1,
                         max_size=5))


def _damage(path: Path, kind: str, victim: Path) -> None:
    linked = path.is_symlink()  # what is done to it must not be done to the victim
    if kind in ("truncate", "garbage") and path.is_file() and not linked:
        path.write_bytes(b"" if kind == "truncate" else b"[[[\xff")
        return
    if kind == "mode":
        if not linked:
            path.chmod(0)
        return
    if kind in ("old", "future"):
        os.utime(path, (0, 0) if kind == "old" else (2**33, 2**33), follow_symlinks=False)
        return
    if kind == "immutable":
        subprocess.run(["chattr", "+i", path], check=False, capture_output=True)
        return
    if kind == "deep":
        if path.is_dir() and not linked:
            _deep(path)
        return
    remove_tree(path)
    replacement: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path), "link": lambda: path.symlink_to(victim),
        "folder": lambda: (path.mkdir(), (path / "inside").touch()),
        "device": lambda: os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 200)),
    }
    replacement.get(kind, lambda: None)()


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("damage")
    yield folder
    remove_tree(folder)


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strokes=damages())
def test_no_damage_ends_a_run(
    ground: Path, monkeypatch: pytest.MonkeyPatch, strokes: list[tuple[int, str]],
) -> None:
    remove_tree(ground / "store")
    remove_tree(ground / "victim")
    victim = ground / "victim"
    (victim / "inside").mkdir(parents=True)
    (victim / "inside/file").write_text(VICTIM)
    monkeypatch.setenv("CCIS_STORE", str(ground / "store"))
    store = open_store()
    for digest in ("one", "two", "three"):
        make(store, digest)
    store.release()
    places = sorted(store.root.rglob("*"))
    for number, kind in strokes:
        place = places[number % len(places)]
        # What an earlier stroke made immutable, or a file, can't be damaged so any more.
        with suppress(PermissionError, FileExistsError, NotADirectoryError):
            if os.path.lexists(place):
                _damage(place, kind, victim)
    store.find("step", "one")
    store.newest("step", "an image")
    store.usage()
    store.release()
    again = open_store()
    again.usage()
    for digest in ("one", "two", "three"):
        path, _ = make(again, digest)
        again.settle()
        assert read_entry(path) is not None and flaw_of(path, whole=True) is None
        assert (path / "data/files/qcow2").read_text() == "the disk"
        program = path / "data/layer/usr/bin/su"
        assert (program.read_text(), program.stat().st_mode) == ("#!/bin/sh\n", 0o104755)
    again.release()
    again.limit_bytes = 0
    again.sweep()
    assert again.usage() == [] and not list((again.root / "objects").glob("*/*"))
    assert [str(path.relative_to(victim)) for path in sorted(victim.rglob("*"))] == [
        "inside", "inside/file"]
    assert (victim / "inside/file").read_text() == VICTIM
