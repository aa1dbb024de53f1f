"""A result is what was put: whatever happens to any kind of it is found, and it is made again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.store import check, entries, manifest
from builder.store.store import Store
from host.beneath.remove import remove_tree
from host.errors import HostError
from host.progress import Silent
from tests.builder.store.damage import (
    ENTRIES,
    MIB,
    TABLE,
    answer,
    change_record,
    flip,
    quietly,
)

CCIS = Path(sys.executable).with_name("ccis")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    yield Store(tmp_path / "store", 1 << 30)
    remove_tree(tmp_path / "store")


def put(store: Store, kind: str) -> Path:
    entry, cached = store.make("step", kind, inputs={}, label="image", fill=ENTRIES[kind])
    assert not cached
    store.release()
    return entry.path


def wholly(store: Store) -> str | None:
    """Return what `ccis store verify` finds in a store of one result."""
    (found,) = check.check(store.shelves, Silent())
    return found.flaw


@pytest.mark.parametrize(
    ("kind", "damage"), [(kind, damage) for kind, _, damage in TABLE],
    ids=[f"{kind}: {what}" for kind, what, _ in TABLE])
def test_what_is_damaged_is_found_and_made_again(
    store: Store, kind: str, damage: Callable[[Path], object],
) -> None:
    path = put(store, kind)
    damage(path)
    for found in check.check(store.shelves, Silent()):  # what has no record is none
        assert found.flaw, "verify finds it"
    (path / "damaged").unlink(missing_ok=True)
    said: list[str] = []
    entry, cached = store.make("step", kind, inputs={}, label="image", fill=ENTRIES[kind],
                               say=said.append)
    assert not cached, "the next build finds it, too"
    store.release()
    assert wholly(store) is None and store.take("step", kind) is not None
    assert sorted(each.name for each in entry.path.iterdir()) == [
        "data", "entry.json", "manifest.json", "stamps", "uses"]


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_result_of_any_kind_takes_room_and_can_be_evicted(store: Store, kind: str) -> None:
    path = put(store, kind)
    assert store.usage()[0][2] > 0
    store.limit_bytes = 0
    store.sweep()
    assert not path.exists()


@pytest.mark.parametrize("kind", ENTRIES)
def test_what_is_as_it_was_put_is_sound(store: Store, kind: str) -> None:
    path = put(store, kind)
    assert wholly(store) is None and entries.flaw_of(path) is None
    assert store.make("step", kind, inputs={}, label="", fill=ENTRIES[kind])[1]


def test_who_is_told_of_it_hears_what_and_why(store: Store) -> None:
    path = put(store, "layer")
    (path / "data/layer/usr/bin/su").chmod(0o755)
    said: list[str] = []
    assert store.take("step", "layer", said.append) is None
    assert said == ["step: the result in the store is damaged and is made again: "
                    "/layer/usr/bin/su has the mode 0o100755, it had 0o104755"]


@pytest.mark.parametrize(("kind", "name"), [
    ("layer", "layer/usr/bin/su"), ("layer", "layer/usr/large"), ("disk", "installed.json"),
    ("artefact", "files/qcow2"), ("answer", "packages.json"),
])
def test_what_a_disk_does_by_itself_is_found_by_a_whole_look(
    store: Store, kind: str, name: str,
) -> None:
    path = put(store, kind)
    quietly(path / "data" / name, path)
    assert "another content" in str(wholly(store))


@pytest.mark.parametrize(("kind", "name"), [
    ("layer", "layer/usr/bin/su"), ("layer", "layer/usr/large"), ("disk", "image")])
def test_a_sample_finds_it_too_sooner_or_later(store: Store, kind: str, name: str) -> None:
    path = put(store, kind)
    quietly(path / "data" / name, path)
    assert any(entries.flaw_of(path) for _ in range(100))


def test_a_sample_reads_no_more_than_its_bound(
    store: Store, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def large(folder: Path) -> None:
        (folder / "layer").mkdir()
        for number in range(20):
            (folder / "layer" / str(number)).write_bytes(os.urandom(2 * MIB))

    entry, _ = store.make("step", "large", inputs={}, label="", fill=large)
    store.release()
    read: list[int] = []
    true_preadv = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        read.append(true_preadv(descriptor, buffers, offset))
        return read[-1]

    monkeypatch.setattr(os, "preadv", counted)
    assert entries.flaw_of(entry.path) is None
    assert 6 * MIB <= sum(read) <= manifest.SAMPLE_BYTES


def test_a_store_that_was_copied_is_sound_and_soon_as_quick(store: Store, tmp_path: Path) -> None:
    path = put(store, "layer")
    shutil.rmtree(tmp_path / "other", ignore_errors=True)
    subprocess.run(["cp", "-a", store.root, tmp_path / "other"], check=True)
    other = tmp_path / "other" / path.relative_to(store.root)
    assert (other / "stamps").read_bytes() == (path / "stamps").read_bytes()
    assert entries.flaw_of(other) is None
    assert (other / "stamps").read_bytes() != (path / "stamps").read_bytes()
    flip(other / "data/layer/usr/bin/su")
    assert entries.flaw_of(other) is not None


def test_an_artefact_may_get_names_outside(store: Store, tmp_path: Path) -> None:
    for kind, name in (("artefact", "files/qcow2"), ("disk", "image")):
        path = put(store, kind)
        (tmp_path / kind).hardlink_to(path / "data" / name)
        (tmp_path / kind).chmod(0o644)
        assert entries.flaw_of(path) is None and entries.flaw_of(path, whole=True) is None


def test_a_killed_build_leaves_no_result_that_is_not_written_down(store: Store) -> None:
    """The record is there before the manifest is: until then it is none for anybody else."""
    path = put(store, "layer")
    change_record(path, manifest="", bytes=0)
    assert Store(store.root, 1 << 30).find("step", "layer") is None
    assert check.check(store.shelves, Silent()) is not None and not list(
        check.check(store.shelves, Silent()))
    store.sweep()
    assert not path.exists()


def test_what_an_older_ccis_put_is_a_miss_and_goes_when_room_is_needed(store: Store) -> None:
    path = put(store, "layer")
    change_record(path, manifest="")
    assert store.find("step", "layer") is None
    store.sweep()
    assert path.exists()
    store.limit_bytes = 1
    store.sweep()
    assert not path.exists()


def test_what_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    """The disk below answers EIO, as a dying one does."""
    backing, place = tmp_path / "backing", tmp_path / "place"
    place.mkdir()
    with backing.open("wb") as stream:
        stream.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-O", "^has_journal", backing], check=True)
    device = subprocess.run(["losetup", "--direct-io=on", "--show", "-f", backing], check=True,
                            capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run(["mount", device, place], check=True)
        store = Store(place / "store", 1 << 30)
        path = put(store, "layer")
        subprocess.run(["sync", "-f", place], check=True)
        extents = subprocess.run(["filefrag", "-v", path / "data/layer/usr/large"], check=True,
                                 capture_output=True, text=True).stdout.splitlines()
        start = int(extents[3].split()[3].rstrip("."))
        os.truncate(backing, start * 4096)  # what lies there can't be read any more
        Path("/proc/sys/vm/drop_caches").write_text("1")
        assert "Input/output error" in str(entries.flaw_of(path, whole=True))
        assert any(entries.flaw_of(path) for _ in range(100))
    finally:
        os.truncate(backing, 64 * MIB)
        subprocess.run(["umount", place], check=False)
        subprocess.run(["losetup", "-d", device], check=True)


def test_the_command_finds_names_and_removes_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    path, other = put(store, "layer"), put(store, "artefact")
    monkeypatch.setenv("CCIS_STORE", str(store.root))
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))

    def verify(*words: str, status: int) -> dict[str, object]:
        done = subprocess.run([CCIS, "store", "verify", *words, "--json"], capture_output=True,
                              text=True, check=False)
        assert done.returncode == status, done.stderr
        report: dict[str, object] = json.loads(done.stdout)
        assert report["ok"] is (status == 0)
        return {each["digest"]: each for each in report["results"]}  # type: ignore[attr-defined]

    assert {each["flaw"] for each in verify(status=0).values()} == {None}  # type: ignore[index]
    quietly(path / "data/layer/usr/bin/su", path)
    found = verify(status=1)
    assert found["layer"]["flaw"] == (  # type: ignore[index]
        "/layer/usr/bin/su has another content than it had")
    assert store.find("step", "layer") is None, "from then on it is none"
    assert path.exists() and verify(status=1), "and stays to be looked at"
    assert verify("--repair", status=0)["layer"]["removed"] is True  # type: ignore[index]
    assert not path.exists() and other.exists()
    assert [*verify(status=0)] == ["artefact"]


def test_a_result_that_cannot_be_written_down_is_used_and_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "write", full)
        entry, cached = store.make("step", "answer", inputs={}, label="", fill=answer)
        assert not cached and (entry.data / "packages.json").is_file()
        store.settle()
        assert store.find("step", "answer") is not None, "it is good for this run"
    store.release()
    assert Store(store.root, 1 << 30).find("step", "answer") is None


def test_a_result_whose_data_goes_at_once_is_no_result(store: Store) -> None:
    def vanish(folder: Path) -> None:
        folder.rmdir()

    with pytest.raises(HostError):
        store.make("step", "gone", inputs={}, label="", fill=vanish)
