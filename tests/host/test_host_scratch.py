"""Folders for work in progress, logs: nobody else reads them, a full disk does not end a run."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import HostError
from host.files import link_or_copy
from host.folders import own_folder
from host.scratch import scratch_folder

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with 1 MiB of room."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_scratch_is_ours_alone_and_inherits_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    os.chown(tmp_path, 0, 50)
    tmp_path.chmod(0o2777)
    subprocess.run(["setfacl", "-d", "-m", "u:nobody:rwx,m:rwx", tmp_path], check=True)
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))
    with scratch_folder("boot") as folder:
        for place in (folder, folder.parent, folder.parent.parent):
            assert mode(place) == 0o700 and place.stat().st_gid == 0
            assert not [name for name in os.listxattr(place) if "acl" in name]
        (folder / "file").touch()
        assert mode(folder / "file") == 0o644
        assert mode(folder.with_name(folder.name + ".lock")) == 0o600


def test_scratch_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_folder(tmp_path / "cache/scratch/boot")
    os.chown(tmp_path / "cache/scratch/boot", 65534, 65534)
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(HostError, match="another user"), scratch_folder("boot"):
        pass


def test_what_is_locked_only_is_spared_by_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))
    with scratch_folder("boot") as first:
        left = first.parent / "0123abcd"
        (left / "deep").mkdir(parents=True)
        subprocess.run(["chattr", "+i", left / "deep"], check=True)
        with scratch_folder("boot") as second:
            assert first.is_dir() and second.is_dir() and not left.exists()
    assert list(first.parent.iterdir()) == []


def test_a_log_is_ours_alone_and_ends_quietly_on_a_full_disk(small: Path) -> None:
    code = ("import logging\nfrom ccis import log\nlog.write_to_file('x')\n"
            "for _ in range(300):\n    logging.getLogger('ccis.x').debug('y' * 9000)\n"
            "print(log.settings.path)")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT,
        env={**os.environ, "CCIS_CACHE": str(small), "PYTHONPATH": str(PROJECT)})
    path = Path(done.stdout.strip())
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert len(done.stderr.splitlines()) == 1 and "No space left" in done.stderr


def test_a_log_that_can_not_be_begun_is_said_once(small: Path) -> None:
    (small / "logs").mkdir(mode=0o700)
    (small / "fill").write_bytes(bytes((1 << 20) - 8192))
    with pytest.raises(OSError, match="No space left"):
        (small / "more").write_bytes(bytes(1 << 20))
    code = ("import logging\nfrom ccis import log\nlog.write_to_file('x')\n"
            "for _ in range(3): logging.getLogger('ccis.x').debug('y' * 9000)\n")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT,
        env={**os.environ, "CCIS_CACHE": str(small), "PYTHONPATH": str(PROJECT)})
    assert len(done.stderr.splitlines()) == 1 and "the log ends here" in done.stderr


def test_a_copy_onto_a_full_disk_says_so(tmp_path: Path, small: Path) -> None:
    (tmp_path / "disk").write_bytes(os.urandom(3 << 20))
    with pytest.raises(OSError, match="No space left") as caught:
        link_or_copy(tmp_path / "disk", small / "disk")
    assert caught.value.errno == 28
