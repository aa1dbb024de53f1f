"""Images of tests/integration/kickstarts started as a cloud would start them.

Two machines run at a time; those with volumes run alone, and as CI has no time for them they are
marked `full` (`make test-full`).
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from specs.model import Firmware
from tests.builder.disk.disk_machine import serial_output
from tests.integration.conftest import Command
from tests.integration.kickstart_images import HERE, boot_all, build, key_file

EC2_SPEC = """\
name: ec2-manner
title: The baseline's boot rules for an image whose user is ec2-user
extends: baseline
rules:
  - id: running.user
    title: ec2-user takes the injected key and may use sudo
    rationale: The documented way in on EC2.
    check: {kind: guest_user, name: ec2-user}
"""

FIRMWARE: dict[str, Firmware] = {"generic-cloud-onpart": "uefi"}
FURTHER: dict[str, Firmware] = {
    "generic-cloud-onpart": "bios",
    "ec2": "bios",                     # it has no EFI system partition
}
VOLUMES: list[tuple[str, Firmware]] = [
    ("lvm-on-luks", "bios"), ("lvm-on-luks", "uefi"), ("lvm-onpart", "uefi"),
    ("btrfs-subvolumes", "bios"), ("btrfs-subvolumes", "uefi"),
]
"""Beside others on two cores, /boot/efi of these has come up later than systemd waits for."""


def boots(ccis: Command, folder: Path, wanted: dict[str, Firmware]) -> dict[str, Any]:
    """Build and start kickstarts by the firmware named, two at a time; return their reports."""
    spec = folder / "ec2-manner.yaml"
    spec.write_text(EC2_SPEC)
    words: dict[str, list[str | Path]] = {}
    for name, firmware in wanted.items():
        made = build(ccis, HERE / f"{name}.ks", folder / name)
        words[name] = [made.folder, "--firmware", firmware]
        words[name] += ["--key", key_file(folder)] if name == "lvm-on-luks" else []
        words[name] += ["--spec", spec] if name == "ec2" else []
    return boot_all(words, 2)


@pytest.fixture(scope="module")
def reports(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return boots(ccis, tmp_path_factory.mktemp("boots"), FIRMWARE)


@pytest.fixture(scope="module")
def further_reports(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return boots(ccis, tmp_path_factory.mktemp("further"), FURTHER)


def misses(report: Any) -> list[str]:
    assert isinstance(report, dict), report
    return [f"{one['rule']}: {one['found']}" for one in report["results"]
            if one["severity"] == "must" and one["status"] in ("failed", "unknown")]


@pytest.mark.parametrize("name", FIRMWARE)
def test_it_boots_and_meets_the_boot_rules(reports: dict[str, Any], name: str) -> None:
    assert misses(reports[name]) == []
    assert reports[name]["firmware"] == FIRMWARE[name]


@pytest.mark.full
@pytest.mark.parametrize("name", FURTHER)
def test_it_boots_as_well(further_reports: dict[str, Any], name: str) -> None:
    assert misses(further_reports[name]) == []


@pytest.mark.full
@pytest.mark.alone
@pytest.mark.parametrize(("name", "firmware"), VOLUMES)
def test_volumes_boot_and_only_what_cloud_init_knows_is_expected_to_grow(
    ccis: Command, tmp_path: Path, name: str, firmware: Firmware,
) -> None:
    report = boots(ccis, tmp_path, {name: firmware})[name]
    assert misses(report) == []
    grown = {one["rule"]: one for one in report["results"]}["running.root-grown"]
    if name == "btrfs-subvolumes":
        assert grown["status"] == "passed"
    else:
        assert grown["status"] == "not-applicable" and "lvm" in grown["found"]


def _asks_for_login(ccis: Command, name: str, folder: Path) -> str:
    """Start an image without cloud-init, which says nothing when it is done, to its prompt."""
    made = build(ccis, HERE / f"{name}.ks", folder / "out")
    raw = folder / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", made.image, raw], check=True)
    return serial_output(raw, until=" login: ", log=folder / "serial.log", timeout_s=600,
                         memory_mib=2048)


def test_the_vagrant_box_comes_to_its_login_prompt(ccis: Command, tmp_path: Path) -> None:
    said = _asks_for_login(ccis, "vagrant", tmp_path)
    assert "Failed to start" not in said and "You are in emergency mode" not in said


@pytest.mark.full
def test_a_disk_of_pre_with_an_include_comes_to_its_login_prompt(
    ccis: Command, tmp_path: Path,
) -> None:
    assert "pre-made" not in _asks_for_login(ccis, "include-of-pre", tmp_path)
