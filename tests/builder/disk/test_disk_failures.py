"""A full disk and kill -9: one clear message, and nothing left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.disk.engine import Engine
from builder.disk.engines import direct, guestfs
from host.errors import HostError
from host.mounts import mounted, private_mounts
from host.progress import Silent
from tests.builder.disk.disk_trees import EPOCH, MIB, hybrid_layout

pytestmark = pytest.mark.integration


def loops_on(folder: Path) -> list[str]:
    """Return the loop devices whose file is below a folder, deleted or not."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if str(folder) in backing.read_text():
                found.append(str(backing))
        except OSError:
            continue  # gone meanwhile
    return found


def mounts_of(folder: Path) -> list[str]:
    """Return the mounts below a folder in any process's mount namespace."""
    found = []
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            found += [line for line in table.read_text().splitlines() if str(folder) in line]
        except OSError:
            continue
    return found


def large_tree(folder: Path) -> Path:
    """A tree of 60 MB in many files, so that there is time to be killed."""
    for name in ("boot/efi", "usr"):
        (folder / name).mkdir(parents=True)
    blob = os.urandom(30_000)
    for number in range(2000):
        (folder / "usr" / f"file-{number}").write_bytes(blob)
    return folder


@pytest.mark.parametrize(("engine", "space_mib"), [
    (direct, 3), (direct, 40), (direct, 100), (direct, 128), (guestfs, 40),
    (guestfs, 100),
], ids=["direct, at the table", "direct, at mkfs", "direct, while copying",
        "direct, while unmounting", "guestfs, while packing", "guestfs, in the appliance"])
def test_a_full_disk(engine: Engine, space_mib: int, tmp_path: Path) -> None:
    private_mounts()
    tree = large_tree(tmp_path / "tree")
    small = tmp_path / "small"
    small.mkdir()
    with mounted("tmpfs", small, "tmpfs", [f"size={space_mib}m"]):
        with pytest.raises(HostError) as raised:
            engine.write(hybrid_layout(), tree, [], small / "disk.raw", EPOCH, Silent())
        assert "No space left on device" in str(raised.value)
        assert raised.value.remedy and "free some space" in raised.value.remedy
        assert list(small.iterdir()) == []
        assert loops_on(small) == []
    assert mounts_of(small) == []


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.builder.disk.disk_trees import EPOCH, hybrid_layout
from builder.disk.engines import direct
from host.mounts import private_mounts
from host.progress import Silent
private_mounts()
print("ready", flush=True)
direct.write(hybrid_layout(), Path(sys.argv[2]), [], Path(sys.argv[3]), EPOCH, Silent())
print("done", flush=True)
"""


def test_kill_at_any_moment_leaves_no_mount_loop_or_process(tmp_path: Path) -> None:
    tree = large_tree(tmp_path / "tree")
    place = tmp_path / "out"
    place.mkdir()
    here = Path(__file__).resolve()
    argv: list[str | Path] = [sys.executable, "-c", WRITER, here.parents[3], tree]
    chance = random.Random(4)
    unfinished = 0
    for turn in range(8):
        image = place / f"{turn}.raw"
        with subprocess.Popen([*argv, image], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.02, 0.6))
            writer.send_signal(signal.SIGKILL)
            unfinished += "done" not in writer.stdout.read()
        deadline = time.monotonic() + 20
        while (loops_on(place) or mounts_of(place)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert loops_on(place) == []
        assert mounts_of(place) == []
        named = subprocess.run(["pgrep", "-f", str(image)], capture_output=True, text=True)
        assert named.stdout == ""
    assert unfinished >= 4, "most of the kills hit a writer at work"
    argv.append(place / "last.raw")
    last = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert last.stdout == "ready\ndone\n"
    assert (place / "last.raw").stat().st_blocks * 512 > 60 * MIB
