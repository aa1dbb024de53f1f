"""The build as a whole: what it leaves, what a rerun costs, and what a bad end leaves behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from images import catalogue
from images.record import read
from tests.integration.conftest import CCIS, Command

WISH = ("generic-cloud", "--release", "rehearsal-10")
STEPS = ["packages", "settings", "initramfs", "bootloader", "scripts", "seal", "disk"]


def changed_kickstart(folder: Path, line: str) -> Path:
    """Return our kickstart with one more line at the end of %post."""
    original = catalogue.kickstart_of(catalogue.image("generic-cloud")).read_text()
    path = folder / "changed.ks"
    path.write_text(f"{original.rpartition('%end')[0]}{line}\n%end\n")
    return path


def test_the_folder_holds_what_the_record_says(built: Path) -> None:
    record = read(built)
    names = {artefact.file for artefact in record.artefacts}
    assert {path.name for path in built.iterdir()} == names | {"build.json"}
    assert {artefact.format for artefact in record.artefacts} == {"raw", "qcow2"}
    for artefact in record.artefacts:
        done = subprocess.run(["sha256sum", built / artefact.file], capture_output=True,
                              text=True, check=True)
        assert done.stdout.split()[0] == artefact.sha256
        assert (built / artefact.file).stat().st_size == artefact.size_bytes
    assert [step.name for step in record.steps][:len(STEPS)] == STEPS


def test_qemu_img_finds_the_images_sound_and_equal(built: Path) -> None:
    qcow2, raw = (next(built.glob(f"*.{ending}")) for ending in ("qcow2", "raw"))
    subprocess.run(["qemu-img", "check", qcow2], check=True)
    subprocess.run(["qemu-img", "compare", qcow2, raw], check=True)


def test_a_plan_twice_is_the_same_and_all_in_the_store(ccis: Command, built: Path) -> None:
    first, second = (ccis.json("plan", *WISH)[0] for _ in range(2))
    assert first == second
    assert all(step["hit"] for step in first["steps"])


def test_a_changed_line_of_post_misses_from_there_on_only(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    kickstart = changed_kickstart(tmp_path, "# one more line")
    plan = ccis.json("plan", *WISH, "--kickstart", kickstart)[0]
    missed = {step["step"]: step["changed"] for step in plan["steps"] if not step["hit"]}
    assert list(missed) == ["scripts", "seal", "disk", "drivers", "qcow2", "raw"]
    assert missed["scripts"] == ["scripts"]


def test_what_a_step_had_to_say_is_said_again_from_the_store(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    kickstart = changed_kickstart(tmp_path, "%end\n\n%post\nexit 3")
    for _ in range(2):
        done = ccis("build", *WISH, "--kickstart", kickstart, "--format", "raw", "--out", tmp_path)
        assert "%post without --erroronfail: status 3" in done.stderr


@pytest.mark.alone
def test_an_unchanged_rebuild_takes_everything_from_the_store(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    started = time.monotonic()
    (report,) = ccis.json("build", *WISH, "--out", tmp_path)
    assert all(step["cached"] for step in report["steps"])
    assert time.monotonic() - started < 5, "1.5 s on a quiet machine; see benchmarks/build.py"


def test_a_failing_post_names_file_and_line_and_leaves_nothing(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    kickstart = changed_kickstart(tmp_path, "echo the reason >&2; exit 7")
    done = ccis("build", *WISH, "--kickstart", kickstart, "--out", tmp_path / "out", status=2)
    line = next(number for number, text in enumerate(kickstart.read_text().splitlines(), 1)
                if text.startswith("%post"))
    assert f"{kickstart}:{line}" in done.stderr
    assert "status 7" in done.stderr and "the reason" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("change", "says"), [
    (("rsync\n", "rsyncc\n"), "no repository has rsyncc"),
    (("--size=2048", "--size=20480"), "part"),
    (("part / ", "part /home "), "/"),
    (("--enabled=NetworkManager", "--enabled=NoSuchUnit"), "NoSuchUnit.service"),
])
def test_what_a_kickstart_gets_wrong_ends_with_status_2(
    ccis: Command, built: Path, tmp_path: Path, change: tuple[str, str], says: str,
) -> None:
    kickstart = tmp_path / "bad.ks"
    original = catalogue.kickstart_of(catalogue.image("generic-cloud")).read_text()
    assert change[0] in original
    kickstart.write_text(original.replace(*change))
    done = ccis("build", *WISH, "--kickstart", kickstart, "--out", tmp_path / "out", status=2)
    assert says in done.stderr and f"{kickstart}" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "out").exists()


def test_without_root_it_says_so(built: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CCIS, "build", *WISH,
         "--out", tmp_path / "out"],
        capture_output=True, text=True,
        env={**os.environ, "HOME": str(tmp_path), "CCIS_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 3, done.stderr
    assert "root" in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk_ends_with_status_3_and_leaves_nothing(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", small], check=True)
    try:
        done = ccis("build", *WISH, "--out", tmp_path / "out", store=small / "store", status=3)
        assert "Traceback" not in done.stderr and "step: " in done.stderr
        assert "CCIS_STORE" in done.stderr, "what to do"
        assert not list((small / "store" / "staging").iterdir())
    finally:
        subprocess.run(["umount", small], check=True)


def leftovers(store: Path) -> list[str]:
    """Return the mounts, loop devices and processes that name the store."""
    found = []
    for words in (["mount"], ["losetup", "-a"], ["ps", "-eo", "pid,args"]):
        lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        found += [line for line in lines.splitlines() if str(store) in line]
    return found


def gone_within(store: Path, seconds: float) -> list[str]:
    """Wait for the kernel to finish killing; return what is left all the same."""
    deadline = time.monotonic() + seconds
    while (left := leftovers(store)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def test_kill_9_at_random_moments_leaves_nothing_and_the_next_build_goes_on(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    moments = random.Random(os.environ.get("PYTEST_SEED", "ccis"))
    for _ in range(10):
        process = subprocess.Popen(
            [CCIS, "build", *WISH, "--out", out], env=Command.environment(store),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert gone_within(store, 10) == []
    ccis("build", *WISH, "--out", out, store=store)
    assert not list((store / "staging").iterdir())
    assert gone_within(store, 5) == []
    assert [path.name for path in out.iterdir()] == [read(built).name]


def test_control_c_ends_with_130_and_leaves_nothing(tmp_path: Path, built: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    process = subprocess.Popen(
        [CCIS, "build", *WISH, "--out", out], env=Command.environment(store),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A background job, as CI may run us, ignores SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert gone_within(store, 5) == [] and not out.exists()
    assert not list((store / "staging").iterdir())


@pytest.mark.full
def test_a_byte_that_was_flipped_in_a_layer_is_found_and_the_image_is_what_it_was(
    ccis: Command, tmp_path: Path,
) -> None:
    wish = ("build", "container-minimal", "--release", "rehearsal-10", "--format", "tar-zst")
    store = tmp_path / "store"
    (first,) = ccis.json(*wish, "--out", tmp_path / "one", store=store)
    (file,) = store.glob("objects/packages/*/data/layer/usr/bin/bash")
    before = file.stat()
    with file.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"!")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    shutil.rmtree(store / "objects/tar-zst")
    (second,) = ccis.json(*wish, "--out", tmp_path / "two", store=store)
    made = [step["name"] for step in second["steps"] if not step["cached"]]
    assert made == ["packages", "tar-zst"]
    assert [each["sha256"] for each in second["artefacts"]] == [
        each["sha256"] for each in first["artefacts"]]


@pytest.mark.full
def test_a_limit_that_is_too_small_holds_while_a_build_runs_and_is_said(
    ccis: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CCIS_STORE_LIMIT", "20 MiB")
    done = ccis("build", "container-minimal", "--release", "rehearsal-10", "--format", "tar-zst",
                "--out", tmp_path / "out", store=tmp_path / "store")
    assert "were in use at once, more than CCIS_STORE_LIMIT, which is 20.0 MiB" in done.stderr
    assert not list((tmp_path / "store/objects").glob("packages/*"))


def test_the_older_release_builds_too(built_9: Path) -> None:
    record = read(built_9)
    assert record.name.startswith("CentOS-Stream-GenericCloud-9-")
    assert record.public_path == "centos/9-stream"
