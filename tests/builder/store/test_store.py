"""The store: shared by concurrent builds, safe under kill -9, bounded in size."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.store.store import Store
from host.errors import HostError


def fill_with(text: str):  # type: ignore[no-untyped-def]
    def fill(folder: Path) -> None:
        (folder / "file").write_text(text)
    return fill


def make(store: Store, digest: str, text: str = "x", label: str = "a") -> tuple[Path, bool]:
    entry, cached = store.make("step", digest, inputs={"in": digest}, label=label,
                               fill=fill_with(text))
    return entry.data / "file", cached


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1 << 30)


def test_a_result_is_made_once(store: Store) -> None:
    path, cached = make(store, "one", "first")
    assert not cached
    again, cached = make(store, "one", "second")
    assert cached and again == path and path.read_text() == "first"


def test_a_failure_leaves_nothing(store: Store) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.make("step", "bad", inputs={}, label="", fill=fail)
    assert store.find("step", "bad") is None
    assert not list((store.root / "staging").iterdir())


def test_a_full_disk_is_a_host_error_with_a_remedy(store: Store) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    with pytest.raises(HostError) as caught:
        store.make("step", "full", inputs={}, label="", fill=fail)
    assert "CCIS_STORE" in (caught.value.remedy or "")


def test_a_result_that_was_changed_by_hand_is_made_anew(store: Store) -> None:
    path, _ = make(store, "one", "good")
    store.release()
    path.write_text("changed")
    fresh, cached = make(store, "one", "good")
    assert not cached and fresh.read_text() == "good"


def _slow_maker(root: Path, counter: Path) -> None:
    def fill(folder: Path) -> None:
        with counter.open("a") as stream:
            stream.write("made\n")
        time.sleep(0.3)
        (folder / "file").write_text("x")

    def say(text: str) -> None:
        with counter.with_name("said").open("a") as stream:
            stream.write(f"{text}\n")

    Store(root, 1 << 30).make("step", "shared", inputs={}, label="", fill=fill, say=say)


def test_of_several_builds_one_makes_and_the_others_wait(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    workers = [multiprocessing.Process(target=_slow_maker, args=(tmp_path / "store", counter))
               for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
        assert worker.exitcode == 0
    assert counter.read_text() == "made\n"
    said = (tmp_path / "said").read_text().splitlines()
    assert said and set(said) == {"step: another ccis is making the same; waiting for it"}


def _hanging_maker(root: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_text("half")
        (root / "started").write_text("")
        time.sleep(60)

    Store(root, 1 << 30).make("step", "killed", inputs={}, label="", fill=fill)


def test_kill_9_leaves_nothing_that_the_next_run_does_not_remove(tmp_path: Path) -> None:
    root = tmp_path / "store"
    worker = multiprocessing.Process(target=_hanging_maker, args=(root,))
    worker.start()
    while not (root / "started").exists():
        time.sleep(0.01)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    store = Store(root, 1 << 30)
    assert store.find("step", "killed") is None
    store.sweep()
    assert not list((root / "staging").iterdir())
    _, cached = make(store, "killed")
    assert not cached


def test_the_least_recently_used_goes_first(store: Store) -> None:
    for name in ("old", "middle", "new"):
        path, _ = make(store, name, "x" * 100_000)
        stamp = {"old": 1, "middle": 2, "new": 3}[name]
        os.utime(path.parents[1] / "entry.json", (stamp, stamp))
    store.release()
    store.limit_bytes = 250_000
    store.sweep()
    found = {name: store.find("step", name) is not None for name in ("old", "middle", "new")}
    assert found == {"old": False, "middle": True, "new": True}


def test_sweeps_at_the_same_time_do_not_trip_over_each_other(store: Store) -> None:
    for number in range(60):
        make(store, str(number), "x")
    store.release()
    others = [Store(store.root, 0) for _ in range(6)]
    with ThreadPoolExecutor(len(others)) as pool:
        list(pool.map(Store.sweep, others))
    assert not list((store.root / "objects/step").iterdir())
    assert not list((store.root / "staging").iterdir())


def test_what_a_build_reads_is_not_evicted(store: Store) -> None:
    path, _ = make(store, "held", "x" * 1000)
    other = Store(store.root, 0)
    other.sweep()
    assert path.exists()
    store.release()
    other.sweep()
    assert not path.exists()


def test_the_newest_entry_of_a_label_is_what_a_miss_is_explained_against(store: Store) -> None:
    for stamp, (digest, label) in enumerate([("1", "a"), ("2", "a"), ("3", "b")], start=1):
        path, _ = make(store, digest, label=label)
        os.utime(path.parents[1] / "uses" / label, (stamp, stamp))
    newest = store.newest("step", "a")
    assert newest is not None and newest.inputs == {"in": "2"}


def test_what_was_made_for_another_image_explains_a_miss_as_well(store: Store) -> None:
    make(store, "1", label="azure rehearsal-10 x86_64")
    store.note_use("step", "1", "generic-cloud rehearsal-10 x86_64")
    store.note_use("step", "evicted", "generic-cloud rehearsal-10 x86_64")
    newest = store.newest("step", "generic-cloud rehearsal-10 x86_64")
    assert newest is not None and newest.digest == "1"


def test_an_artefact_that_was_changed_by_hand_is_made_anew(store: Store) -> None:
    def fill(folder: Path) -> None:
        (folder / "files").mkdir()
        (folder / "files/qcow2").write_text("the disk")

    for cached in (False, True):
        entry, was_there = store.make("qcow2", "1", inputs={}, label="image", fill=fill)
        assert was_there is cached
    (entry.data / "files/qcow2").write_text("another disk")
    entry, was_there = store.make("qcow2", "1", inputs={}, label="image", fill=fill)
    assert not was_there
    assert (entry.data / "files/qcow2").read_text() == "the disk"


def test_what_was_just_made_is_not_swept_before_it_is_written_down(store: Store) -> None:
    """Sweeps of others, all the time: what somebody makes is theirs."""
    others = [Store(store.root, 1 << 30) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        stop = False

        def sweep(other: Store) -> None:
            while not stop:
                other.sweep()

        sweeping = [pool.submit(sweep, other) for other in others]
        for number in range(100):
            path, cached = make(store, str(number), "x")
            assert not cached and path.read_text() == "x"
        store.settle()
        stop = True
        for each in sweeping:
            each.result()
    assert len(store.usage()) == 100
