"""Images read through a real appliance: good ones, broken ones, and ones that set traps."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.appliance import Drive, open_appliance
from host.errors import HostError, InputError
from host.progress import Silent
from specs.model import load
from tests.small_repository import SmallRepository, make
from tests.validate.disks import DISK_BYTES, ROOT_START_BYTES, qcow2, raw_disk, small_tree
from validate.artefact import inspect
from validate.reader import open_image
from validate.run import validate
from validate.view import View

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRepository]:
    repository = make(tmp_path_factory.mktemp("packages"))
    repository.add("unsigned", sign=False)
    yield repository
    repository.close()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, packages: SmallRepository) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    tree = small_tree(folder / "tree")
    subprocess.run(
        ["rpm", "--root", tree, "--dbpath", "/usr/lib/sysimage/rpm", "--define",
         "_pkgverify_level none", "-i", "--justdb", "--nodeps", "--noscripts",
         *packages.folder.glob("*.rpm")], check=True, capture_output=True)
    return qcow2(folder / "disk.qcow2", raw_disk(folder / "disk.raw", tree))


@pytest.fixture(scope="module")
def view(disk: Path) -> Iterator[View]:
    """The view of a small disk; one appliance for all tests that only look."""
    with open_image(inspect(disk), None) as opened:
        yield opened


def test_the_disk_is_read(view: View) -> None:
    disk = view.disk
    assert disk is not None
    assert (disk.scheme, len(disk.partitions), disk.size_bytes) == ("gpt", 3, DISK_BYTES)
    assert disk.mounted["/"].label == "root"
    assert disk.partitions[2].start_bytes == ROOT_START_BYTES
    assert disk.boot_sector[510:] == b"\x55\xaa"
    assert view.arch == "x86_64"


def test_modes_owners_and_labels_are_the_images(view: View) -> None:
    shadow = view.tree.get("/etc/shadow")
    assert shadow is not None
    assert (shadow.permissions, shadow.uid, shadow.selinux_type) == ("0000", 0, "shadow_t")
    plain = view.tree.get("/etc/fstab")
    assert plain is not None
    assert plain.label == ""


def test_names_that_break_lines_are_names(view: View) -> None:
    names = {entry.path for entry in view.tree.find("/tmp/*")}
    assert names == {"/tmp/line\nbreak\ttab", "/tmp/not-utf8-\udcff"}


def test_links_do_not_lead_out_of_the_image(view: View) -> None:
    assert view.text("/etc/outside") is None
    assert view.text("/etc/passwd") is None
    assert view.text("/etc/loop") is None
    assert view.os_release["ID"] == "centos"


def test_a_file_of_a_tebibyte_is_not_read(view: View) -> None:
    with pytest.raises(InputError, match="too large"):
        view.text("/etc/selinux/config")


def test_packages_come_from_the_images_own_database(view: View) -> None:
    assert view.rpm_folders == ["/usr/lib/sysimage/rpm"]
    assert {one.name: one.signed for one in view.packages} == {
        "alpha": True, "beta": True, "unsigned": False}


def test_reading_leaves_the_artefact_as_it_was(disk: Path) -> None:
    before = (disk.stat().st_mtime_ns, disk.read_bytes())
    report = validate(disk, load("baseline"), None, Silent())
    assert (disk.stat().st_mtime_ns, disk.read_bytes()) == before
    by_rule = {one.rule: one.status for one in report.results}
    assert by_rule["identity.machine-id"] == "passed"
    assert by_rule["security.shadow-mode"] == "passed"
    assert by_rule["security.packages-signed"] == "failed"
    assert by_rule["security.selinux-enforcing"] == "unknown"
    assert by_rule["clean.temporary"] == "failed"
    assert not report.passed


def _no_root(folder: Path) -> Path:
    return raw_disk(folder / "no-root.raw", Path(shutil.copytree(
        small_tree(folder / "full") / "usr/bin", folder / "bare")))


def _noise(folder: Path) -> Path:
    path = folder / "noise.raw"
    path.write_bytes(os.urandom(1 << 20))
    return path


def _smashed(folder: Path) -> Path:
    """A file system whose superblock is fine and whose every table is noise."""
    path = raw_disk(folder / "smashed.raw", small_tree(folder / "tree"))
    with path.open("r+b") as stream:
        stream.seek(ROOT_START_BYTES + 8192)
        stream.write(os.urandom(8 << 20))
    return path


def _truncated(folder: Path) -> Path:
    whole = qcow2(folder / "whole.qcow2", raw_disk(folder / "w.raw", small_tree(folder / "tree")))
    path = folder / "truncated.qcow2"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    return path


@pytest.mark.parametrize("make_it", [_no_root, _noise, _smashed, _truncated])
def test_a_broken_image_is_one_clear_message(tmp_path: Path, make_it: object) -> None:
    assert callable(make_it)
    path = make_it(tmp_path)
    with pytest.raises(InputError) as caught:
        validate(path, load("baseline"), None, Silent())
    assert str(path) in str(caught.value.where)
    assert "Traceback" not in str(caught.value)


def test_a_database_that_is_none_is_unknown(tmp_path: Path) -> None:
    tree = small_tree(tmp_path / "tree")
    (tree / "var/lib/rpm").mkdir()
    (tree / "var/lib/rpm/rpmdb.sqlite").write_bytes(os.urandom(8192))
    path = raw_disk(tmp_path / "disk.raw", tree)
    report = validate(path, load("baseline"), None, Silent())
    by_rule = {one.rule: one for one in report.results}
    assert by_rule["security.packages-signed"].status == "unknown"
    assert "rpm database" in by_rule["security.packages-signed"].found


def test_an_appliance_that_takes_too_long_is_killed(disk: Path) -> None:
    started = time.monotonic()
    with pytest.raises(HostError, match="within 2 s"), open_appliance(
            [Drive(disk, "qcow2")], readonly=True, timeout_s=2) as g:
        while True:
            g.ping_daemon()
    assert time.monotonic() - started < 30


def test_no_appliance_outlives_a_killed_process(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\nimport time\n"
        "from host.appliance import Drive, open_appliance\n"
        f"p = Path({str(tmp_path)!r}, 'd.raw'); p.touch(); import os; os.truncate(p, 1 << 20)\n"
        "with open_appliance([Drive(p, 'raw')], readonly=True) as g:\n"
        "    print(g.get_pid(), flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        qemu = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{qemu}/fd").exists() or _is_dead(qemu):
            return
        time.sleep(0.1)
    pytest.fail("QEMU still runs 10 s after its owner was killed")


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
