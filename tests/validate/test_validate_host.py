"""What a host may lack: KVM (tried once per boot, and remembered), libguestfs, a kernel for it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from host import appliance, kvm
from host.errors import HostError
from validate.rpmdb import query


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a device that can be opened, whatever this host has."""
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path))
    device = tmp_path / "device"
    device.touch()
    monkeypatch.setattr(kvm, "DEVICE", device)
    return tmp_path / "kvm"


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def remember(cache: Path, name: str, text: str) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{name}.json"
    path.write_text(text)
    return path


def test_no_device_means_no_kvm_without_a_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kvm, "DEVICE", tmp_path / "nothing")
    assert kvm.kvm_works() == (False, f"{tmp_path}/nothing is not there")


@pytest.mark.parametrize("works", [True, False])
def test_an_answer_of_this_boot_is_taken(cache: Path, works: bool) -> None:
    remember(cache, boot_id(), json.dumps({"works": works, "reason": "tried before"}))
    assert kvm.kvm_works() == (works, "tried before")


@pytest.mark.integration
@pytest.mark.parametrize(("name", "text"), [
    ("another-boot", '{"works": true, "reason": "tried before"}'),
    (boot_id(), '{"works": tru'),
])
def test_an_answer_of_another_boot_or_a_broken_one_is_not(
    cache: Path, name: str, text: str,
) -> None:
    old = remember(cache, name, text)
    works, reason = kvm.kvm_works()
    assert reason != "tried before"
    assert json.loads((cache / f"{boot_id()}.json").read_text()) == {
        "works": works, "reason": reason}
    assert not old.exists() or name == boot_id()
    started = time.monotonic()
    assert kvm.kvm_works() == (works, reason)
    assert time.monotonic() - started < 1


def test_a_host_without_libguestfs_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "guestfs", None)
    with (pytest.raises(HostError, match="Python binding") as caught,
          appliance.open_appliance([], readonly=True)):
        pass
    assert "python3-guestfs" in str(caught.value.remedy)


def test_a_host_without_a_kernel_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appliance, "host_kernels", list)
    monkeypatch.delenv("LIBGUESTFS_PATH", raising=False)
    with (pytest.raises(HostError, match="no kernel") as caught,
          appliance.open_appliance([], readonly=True)):
        pass
    assert "linux-image-cloud-amd64" in str(caught.value.remedy)


def test_a_host_without_a_program_is_told_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="bwrap is not installed"):
        query(tmp_path)
