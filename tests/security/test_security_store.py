"""The store: nobody else reaches what is in it, and nothing that lies in it ends a run."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.store.store import Store, open_store
from host.errors import HostError
from host.files import link_or_copy, staged_directory
from tests.security.stores import make

PROJECT = Path(__file__).parents[2]
def open_way(folder: Path) -> None:
    """Let everybody get as far as a folder of pytest's, which are its user's alone."""
    for each in (folder, *folder.parents[:-2]):
        each.chmod(0o755)


def reached_by_nobody(root: Path) -> str:
    """Return which paths below a folder another user can open, look at or list."""
    code = ("import os, sys\nfor path in sys.stdin.read().splitlines():\n"
            "    for look in (os.stat, os.listdir, open):\n        try:\n            look(path)\n"
            "        except OSError:\n            continue\n        print(path, look)")
    paths = "\n".join(str(path) for path in root.rglob("*"))
    return subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c",
         code], input=paths, text=True, capture_output=True, check=True, cwd="/").stdout


def test_no_other_user_reaches_anything_in_it(tmp_path: Path, opened: Store) -> None:
    open_way(tmp_path)
    make(opened, "one")
    assert len(list(opened.root.rglob("*"))) > 10
    assert reached_by_nobody(opened.root) == ""
    assert stat.S_IMODE(opened.root.stat().st_mode) == 0o700


def test_an_old_store_is_closed_when_it_is_opened(tmp_path: Path, opened: Store) -> None:
    path, _ = make(opened, "one")
    opened.release()
    for place in (opened.root, *opened.root.rglob("*")):
        if place.is_dir():
            place.chmod(0o755)
    open_way(tmp_path)
    assert "su" in reached_by_nobody(opened.root)
    open_store()
    assert reached_by_nobody(opened.root) == ""
    assert path.exists()


def test_a_folder_with_other_things_keeps_its_mode_and_the_store_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CCIS_STORE=/tmp must not close /tmp."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "of-somebody").touch()
    shared.chmod(0o1777)
    open_way(tmp_path)
    monkeypatch.setenv("CCIS_STORE", str(shared))
    store = open_store()
    make(store, "one")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    said = {line.split()[0] for line in reached_by_nobody(shared).splitlines()}
    rooms = {str(path) for path in shared.iterdir()}
    assert said <= rooms, "no more than that there is a store"
    shared.chmod(0o777)
    with pytest.raises(HostError, match="others can write"):
        open_store()


def test_a_store_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "store").mkdir()
    os.chown(tmp_path / "store", 65534, 65534)
    monkeypatch.setenv("CCIS_STORE", str(tmp_path / "store"))
    with pytest.raises(HostError, match="another user"):
        open_store()


def test_an_artefact_has_a_mode_of_its_own(tmp_path: Path, opened: Store) -> None:
    path, _ = make(opened, "one")
    (path / "data/files/qcow2").chmod(0o600)
    with staged_directory(tmp_path / "out/name") as staging:
        link_or_copy(path / "data/files/qcow2", staging / "disk.qcow2", 0o644)
    assert stat.S_IMODE((tmp_path / "out/name").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out/name/disk.qcow2").stat().st_mode) == 0o644
    assert (tmp_path / "out/name/disk.qcow2").stat().st_nlink == 2
    assert make(opened, "one")[1], "the link's mode is no change of the result"


def test_nothing_is_inherited_from_the_folder_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    around = tmp_path / "around"
    around.mkdir()
    os.chown(around, 0, 50)
    around.chmod(0o2775)
    subprocess.run(["setfacl", "-d", "-m", "u:nobody:rwx,g:daemon:rwx,m:rwx", around], check=True)
    monkeypatch.setenv("CCIS_STORE", str(around / "store"))
    path, _ = make(open_store(), "one")
    with staged_directory(around / "out") as staging:
        (staging / "file").touch()
    for place in (path, *path.rglob("*"), around / "out", around / "out/file"):
        assert not [name for name in os.listxattr(place) if "acl" in name], place
        assert (place.lstat().st_gid, place.lstat().st_mode & 0o2000) == (0, 0), place


def test_a_file_system_that_loses_things_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = tmp_path / "poor"
    place.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "ramfs", place], check=True)  # no extended attributes
    try:
        monkeypatch.setenv("CCIS_STORE", str(place / "store"))
        with pytest.raises(HostError, match="not fit for a store") as caught:
            open_store()
        assert "extended attributes" in (caught.value.why or "")
    finally:
        subprocess.run(["umount", place], check=True)


WORK = """
import sys, time
from pathlib import Path
from ccis import output
from builder.store.store import open_store
from host.files import staged_directory
output.end_on_signals()
def fill(folder):
    for number in range(300):
        (folder / str(number)).write_text("x")
    print("begun", flush=True)
    time.sleep(60)
def work():
    with staged_directory(Path(sys.argv[1]) / "name") as out:
        (out / "file").write_text("x")
        open_store().make("step", "one", inputs={}, label="", fill=fill)
sys.exit(output.guarded(work))
"""


@pytest.mark.parametrize("signals", [
    (signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP),
    (signal.SIGINT, signal.SIGTERM, signal.SIGTERM),
])
def test_the_same_wish_said_twice_lets_us_clean_up(
    tmp_path: Path, signals: tuple[signal.Signals, ...],
) -> None:
    """timeout(1) signals its child, and then the group that the child is in."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, tmp_path / "out"], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE, cwd=PROJECT,
        env={**os.environ, "CCIS_STORE": str(tmp_path / "store"), "CCIS_CACHE": str(tmp_path)},
        preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in signals])
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    for each in signals:
        process.send_signal(each)
        time.sleep(0.02)
    _, said = process.communicate(timeout=30)
    assert process.returncode in {128 + each for each in signals}, said
    assert list((tmp_path / "store/staging").iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_timeout_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        ["timeout", "2", sys.executable, "-c", WORK, tmp_path / "out"], capture_output=True,
        text=True, cwd=PROJECT, check=False, timeout=60,
        env={**os.environ, "CCIS_STORE": str(tmp_path / "store"), "CCIS_CACHE": str(tmp_path)})
    assert done.returncode == 124, done.stderr
    assert list((tmp_path / "store/staging").iterdir()) == []


def test_what_kill_9_left_beside_an_output_goes_with_the_next(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, tmp_path / "out"], stdout=subprocess.PIPE, text=True,
        cwd=PROJECT, env={**os.environ, "CCIS_STORE": str(tmp_path / "store"),
                          "CCIS_CACHE": str(tmp_path)})
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    (left,) = (tmp_path / "out").iterdir()
    with staged_directory(tmp_path / "out/name"):
        assert left.exists(), "somebody is at work in it"
    process.kill()
    process.wait()
    with staged_directory(tmp_path / "out/name"):
        assert not left.exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["name"]
