"""The doctor: this host is fit, and each lack is found, explained and given its remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ccis.doctor import isolation, space, tools, virtual
from ccis.doctor.registry import Check, Host, LackError, all_checks, run_check
from host.errors import HostError

CCIS = str(Path(sys.executable).with_name("ccis"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "store", tmp_path / "out")


def doctor(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CCIS, "doctor", *words], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment}, timeout=120)


def test_a_set_up_host_is_fit() -> None:
    done = doctor("--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["ok"]
    assert {check["name"] for check in report["checks"]} >= {
        "root", "namespaces", "bubblewrap", "loop devices", "overlayfs", "space in the store",
        "memory", "kvm", "libguestfs", "python modules", "uefi firmware", "tools: disk"}


def test_what_lacks_is_named_with_its_remedy_and_exit_status_3(tmp_path: Path) -> None:
    """A PATH without the tools stands for a host where set-up never ran."""
    for name in ("python3", "apt-get", "sh"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    done = doctor(PATH=str(tmp_path))
    assert done.returncode == 3
    assert "LACK tools: disk: sfdisk, " in done.stdout
    assert "apt-get install --no-install-recommends dosfstools e2fsprogs" in done.stdout


def test_every_check_has_a_name_of_its_own_and_a_remedy() -> None:
    checks = all_checks()
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.remedy and check.needed_for for check in checks)


def test_no_room_is_a_lack(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "STORE_BYTES", 1 << 60)
    with pytest.raises(LackError, match="GiB free, a build wants"):
        space.store(host)
    assert not host.store.exists()  # asking makes nothing


def test_no_inodes_is_a_lack(tmp_path: Path) -> None:
    """A small tmpfs with few inodes, in a mount namespace of its own."""
    script = ("from pathlib import Path\nfrom ccis.doctor import space\n"
              "from ccis.doctor.registry import Host\n"
              "space.STORE_BYTES = 1\n"
              f"print(space.store(Host(Path({str(tmp_path)!r}), Path('/'))))")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         f"mount -t tmpfs -o nr_inodes=100 none {tmp_path} && exec {sys.executable} -c \"$1\"",
         "sh", script], capture_output=True, text=True, check=False)
    assert "inodes free, a build wants" in done.stderr


def test_an_overlay_without_a_place_for_it_is_a_lack(tmp_path: Path) -> None:
    """vfat and the like can't hold an upper layer; /proc can't even hold a folder."""
    outcome = run_check(next(check for check in all_checks() if check.name == "overlayfs"),
                        Host(Path("/proc/store"), tmp_path))
    assert outcome is not None
    assert outcome.status == "missing"
    assert "CCIS_STORE" in outcome.remedy


def test_the_overlay_check_leaves_nothing(host: Host) -> None:
    assert "metacopy" in str(isolation.overlayfs(host))
    assert not list((host.store / "staging").iterdir())
    assert str(host.store) not in Path("/proc/self/mountinfo").read_text()


def test_the_loop_check_leaves_nothing(host: Host) -> None:
    device = isolation.loop_devices(host)
    listing = subprocess.run(["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"],
                             capture_output=True, text=True, check=True).stdout
    assert device
    assert "ccis-doctor-" not in listing


def test_kvm_that_does_not_work_is_a_warning(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.kvm.kvm_works", lambda: (False, "its kernel said nothing"))
    with pytest.raises(LackError, match="said nothing"):
        virtual.kvm(host)
    [check] = [check for check in all_checks() if check.name == "kvm"]
    outcome = run_check(check, host)
    assert outcome is not None
    assert outcome.status == "warning"


def test_a_missing_module_is_named_with_its_package(
    host: Host, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tools, "_MODULES", {"no_such_module": tools.Source("python3-x", "x")})
    with pytest.raises(LackError, match="no_such_module not there") as lack:
        tools.python_modules(host)
    assert "python3-x" in str(lack.value.remedy)


def test_a_check_that_fails_in_an_unforeseen_way_still_has_its_remedy(host: Host) -> None:
    def look(_: Host) -> str:
        raise HostError("mount ended with status 32", why="permission denied")

    outcome = run_check(Check("x", "everything", True, "run as root", look), host)
    assert outcome is not None
    assert (outcome.status, outcome.remedy) == ("missing", "run as root")
    assert outcome.detail == "mount ended with status 32: permission denied"


@pytest.mark.integration
def test_the_appliance_starts(tmp_path: Path) -> None:
    detail = virtual.libguestfs(Host(tmp_path, tmp_path, thorough=True))
    assert "started, version 1." in str(detail)
