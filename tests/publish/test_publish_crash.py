"""Publishers that work at once, and publishers that are killed: readers never see a half state."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from publish.model import Index
from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish

_PUBLISH = """
import sys
from pathlib import Path
from host.progress import Silent
from publish.sign import rehearsal_signer
from publish.policies import load_policy
from publish.tree import Options, publish
publish([Path(word) for word in sys.argv[2:]], Path(sys.argv[1]), rehearsal_signer(), Silent(),
        Options(load_policy("rehearsal")))
"""


def publisher(root: Path, *builds: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _PUBLISH, root, *builds],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def read_index(root: Path) -> Index:
    return Index.model_validate_json((root / IMAGES / "index.json").read_text())


def agents() -> set[str]:
    """Return the gpg-agents of throw-away homes that run now."""
    lines = subprocess.run(["ps", "-eo", "pid,stat,args"], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return {line.split()[0] for line in lines
            if "gpg-agent" in line and not line.split()[1].startswith("Z")}


def test_publishers_that_start_together_all_get_their_build_in(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    builds = [make_build(f"2026112{day}.0") for day in range(5)]
    running = [publisher(root, build) for build in builds]
    for process in running:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    assert [build.build_id for build in read_index(root).builds] == [
        f"2026112{day}.0" for day in range(5)]
    assert verify(root).ok


def test_a_reader_sees_the_old_state_or_the_new(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    """One thread reads and verifies the folder all the time while another publishes."""
    put(make_build("20261101.0"))
    builds = [make_build(f"202611{day:02}.0") for day in range(2, 8)]
    done = threading.Event()
    failures: list[str] = []
    rounds = 0

    def read() -> None:
        nonlocal rounds
        while not done.is_set():
            report = verify(root)
            failures.extend(f"{finding.file}: {finding.problem}" for finding in report.findings)
            rounds += 1

    reader = threading.Thread(target=read)
    reader.start()
    for build in builds:
        put(build)
    done.set()
    reader.join()
    assert failures == []
    assert rounds >= 2


@pytest.mark.alone
@pytest.mark.integration
def test_kill_9_leaves_the_old_state_and_the_next_run_cleans_up(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build("20261101.0"))
    build = make_build("20261102.0", {"qcow2": os.urandom(8 << 20)})
    began = time.monotonic()
    untouched = publisher(root.with_name("elsewhere"), build)
    assert untouched.wait() == 0
    whole_s = time.monotonic() - began
    chance = random.Random(2026)
    states = set()
    for _ in range(12):
        running = publisher(root, build)
        time.sleep(chance.uniform(0.3, 1.0) * whole_s)
        running.send_signal(signal.SIGKILL)
        running.wait()
        states.add(len(read_index(root).builds))
        assert verify(root).ok
    assert states <= {1, 2}
    put(build)
    assert len(read_index(root).builds) == 2
    # Also what a killed publisher staged is gone once another one had something to do.
    put(make_build("20261103.0"))
    assert [path.name for path in (root / IMAGES).parent.iterdir()] == ["images"]
    assert verify(root).ok


def test_a_leftover_of_a_killed_publisher_is_removed(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    """In the workshop beside the tree; and in the tree, where an older version had it."""
    put(make_build("20261101.0"))
    workshop = root.with_name(".public.ccis")
    leftovers = [workshop / "staging/0", root / IMAGES / "../.images.k1ll3d"]
    for leftover in leftovers:
        leftover.mkdir(parents=True)
        (leftover / "half.qcow2").write_bytes(b"x")
    (root / ".publish.lock").touch()
    put(make_build("20261102.0"))
    assert not any(leftover.exists() for leftover in leftovers)
    assert verify(root).ok
    assert sorted(path.name for path in workshop.iterdir()) == ["lock"]


@pytest.mark.alone
def test_no_agent_stays_behind(root: Path, make_build: MakeBuild, put: Publish) -> None:
    before = agents()
    put(make_build())
    deadline = time.monotonic() + 10  # a killed agent takes a moment to end
    while agents() - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert agents() - before == set()
