"""Files that appear whole or not at all; locks that die with their holder; private mounts."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host import locks
from host.files import exchange, sha256_file, staged_directory, write_atomically
from host.locks import locked, try_lock
from host.mounts import mounted, overlay, private_mounts, read_only_overlay


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.tuples(st.integers(0, 3 << 20), st.binary(max_size=50)), max_size=5))
def test_a_sparse_file_hashes_as_its_content(pieces: list[tuple[int, bytes]]) -> None:
    path = Path("/dev/shm") / f"sparse-{os.getpid()}"
    try:
        with path.open("wb") as stream:
            for offset, content in pieces:
                stream.seek(offset)
                stream.write(content)
            stream.truncate(4 << 20)
        assert sha256_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    finally:
        path.unlink()


def test_a_staged_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "result"
    with staged_directory(target) as staging:
        (staging / "file").write_text("new")
        assert not target.exists()
    assert (target / "file").read_text() == "new"


def test_a_failure_leaves_the_old_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "result"
    target.mkdir()
    (target / "file").write_text("old")
    with pytest.raises(ValueError, match="no"), staged_directory(target) as staging:
        (staging / "file").write_text("half")
        raise ValueError("no")
    assert (target / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_exchange_swaps_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.mkdir()
    exchange(one, other)
    assert other.read_text() == "1" and one.is_dir()


def test_writing_keeps_the_old_content_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "text", mode=0o600)
    assert path.read_text() == "text" and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def _hold_and_die(path: Path) -> None:
    with locked(path):
        os._exit(9)


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    worker = multiprocessing.Process(target=_hold_and_die, args=(path,))
    worker.start()
    worker.join()
    descriptor = try_lock(path)
    assert descriptor is not None
    assert try_lock(path) is None, "a lock is held once"
    os.close(descriptor)


def test_shared_locks_keep_others_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, shared=True), locked(path, shared=True):
        assert try_lock(path) is None


@pytest.mark.parametrize("said_after_s", [0.05, 60.0])
def test_a_long_wait_for_a_lock_is_said(
    said_after_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(locks, "SAY_AFTER_S", said_after_s)
    monkeypatch.setattr(locks.log, "warning", lambda text, path: said.append(text % path))
    path = tmp_path / "lock"
    descriptor = try_lock(path)
    assert descriptor is not None
    threading.Timer(0.5, os.close, (descriptor,)).start()
    with locked(path):
        pass
    assert said == [f"waiting for another process, which holds {path}"] * (said_after_s < 0.5)
    with locked(path):
        assert try_lock(path) is None


def _mount_privately(folder: Path) -> None:
    private_mounts()
    for name in ("lower", "upper", "work", "view", "all"):
        (folder / name).mkdir()
    (folder / "lower/kept").write_text("lower")
    (folder / "lower/gone").write_text("lower")
    with overlay([folder / "lower"], folder / "upper", folder / "work", folder / "view") as view:
        (view / "gone").unlink()
        (view / "kept").chmod(0o600)
        (view / "new").write_text("upper")
    with read_only_overlay([folder / "upper", folder / "lower"], folder / "all") as view:
        assert sorted(path.name for path in view.iterdir()) == ["kept", "new"]
        assert (view / "kept").read_text() == "lower"
        assert (view / "kept").stat().st_mode & 0o777 == 0o600
        with pytest.raises(OSError, match="Read-only"):
            (view / "more").write_text("")
    mounted("tmpfs", folder / "view", "tmpfs").__enter__()
    os._exit(0)


def test_layers_and_private_mounts_leave_no_trace(tmp_path: Path) -> None:
    worker = multiprocessing.Process(target=_mount_privately, args=(tmp_path,))
    worker.start()
    worker.join(20)
    assert worker.exitcode == 0
    mounts = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in mounts
