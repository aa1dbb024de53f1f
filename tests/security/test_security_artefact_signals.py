"""SIGINT and SIGTERM end a run within seconds wherever it is, and no appliance outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.security.artefact_images import MIB

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SOON_S = 4.0
"""Most of it is Python's own end on a busy machine; the work itself is dropped at once."""

_IN_A_CALL = """
import sys
from pathlib import Path
from ccis import output
from host.appliance import Drive, open_appliance
output.end_on_signals()
def work():
    with open_appliance([Drive(Path(sys.argv[1]), "raw")], readonly=True) as g:
        print("up", flush=True)
        g.debug("sh", ["sleep 1000"])
sys.exit(output.guarded(work))
"""


def _started(words: list[str | Path], cache: Path) -> subprocess.Popen[bytes]:
    def heard() -> None:  # a background job, as CI may run us, ignores them
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=ROOT,
        env={**os.environ, "CCIS_CACHE": str(cache)}, preexec_fn=heard)


def _appliances(cache: Path) -> list[int]:
    """The QEMUs whose disk is below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"qemu-system" in words.split(b"\0")[0] and bytes(cache) in words and (
                    b"ccis.appliance" in words):
                found.append(int(entry.name))
    return found


def _wait_for_appliance(cache: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if _appliances(cache):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    pytest.fail("no appliance was started within 60 s")


def _ends(process: subprocess.Popen[bytes], number: int, cache: Path) -> None:
    begun = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - begun < SOON_S, said
    assert process.returncode == 128 + number, said
    assert b"Traceback" not in said and b"without cleaning" not in said
    for _ in range(60):
        if not _appliances(cache):
            return
        time.sleep(0.1)
    pytest.fail("an appliance outlived the run by 6 s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [
    0.1, 6.0, pytest.param(14.0, marks=pytest.mark.full)])
def test_a_validation_ends_while_the_appliance_starts_and_runs(
    tmp_path: Path, number: int, after_s: float,
) -> None:
    image, cache = tmp_path / "a.raw", tmp_path / "cache"
    image.write_bytes(bytes(MIB))
    process = _started([ROOT / ".venv/bin/ccis", "validate", image], cache)
    _wait_for_appliance(cache, process)
    time.sleep(after_s)
    assert process.poll() is None
    _ends(process, number, cache)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_call_of_libguestfs_s_in_our_own_process_is_ended(tmp_path: Path, number: int) -> None:
    """As the builder's engine makes them, and `ccis reproduce` in its threads."""
    image, cache = tmp_path / "a.raw", tmp_path / "cache"
    image.write_bytes(bytes(MIB))
    process = _started([sys.executable, "-c", _IN_A_CALL, image], cache)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    time.sleep(0.5)
    _ends(process, number, cache)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_boots_end_at_once(tmp_path: Path, number: int) -> None:
    image, cache = tmp_path / "a.raw", tmp_path / "cache"
    # A boot sector that hangs without a word: cli; hlt; jmp.
    image.write_bytes(b"\xfa\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa" + bytes(MIB - 512))
    process = _started(
        [ROOT / ".venv/bin/ccis", "boot", image, "--firmware", "bios"], cache)
    time.sleep(8)
    assert process.poll() is None, process.communicate()
    _ends(process, number, cache)
