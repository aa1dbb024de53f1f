"""Images of tests/integration/kickstarts started as a cloud would start them.

Each runs alone, which takes its time: `make test-full`. CI starts one to its login prompt.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.builder.disk.disk_machine import serial_output
from tests.integration.conftest import Command
from tests.integration.kickstart_images import HERE, boot, build, key_file

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

STARTS = [
    ("generic-cloud-onpart", "uefi", "passed"),
    ("generic-cloud-onpart", "bios", "passed"),
    ("ec2", "bios", "passed"),  # it has no EFI system partition
    ("lvm-on-luks", "bios", "not-applicable"),
    ("lvm-on-luks", "uefi", "not-applicable"),
    ("lvm-onpart", "uefi", "not-applicable"),
    ("btrfs-subvolumes", "bios", "passed"),
    ("btrfs-subvolumes", "uefi", "passed"),
]
"""Kickstart, firmware, and whether the root has grown: cloud-init grows nothing on volumes."""


def start(ccis: Command, folder: Path, name: str, firmware: str) -> Any:
    """Build a kickstart and start it by a firmware; return the report, or what was said."""
    made = build(ccis, HERE / f"{name}.ks", folder / name)
    words: list[str | Path] = [made.folder, "--firmware", firmware]
    if name == "lvm-on-luks":
        words += ["--key", key_file(folder)]
    if name == "ec2":
        spec = folder / "ec2-manner.yaml"
        spec.write_text(EC2_SPEC)
        words += ["--spec", spec]
    return boot(words)


def misses(report: Any) -> list[str]:
    assert isinstance(report, dict), report
    return [f"{one['rule']}: {one['found']}" for one in report["results"]
            if one["severity"] == "must" and one["status"] in ("failed", "unknown")]


@pytest.mark.full
@pytest.mark.alone  # beside others on two cores, /boot/efi comes up later than systemd waits for
@pytest.mark.parametrize(("name", "firmware", "grown"), STARTS)
def test_it_boots_and_meets_the_boot_rules(
    ccis: Command, tmp_path: Path, name: str, firmware: str, grown: str,
) -> None:
    report = start(ccis, tmp_path, name, firmware)
    assert misses(report) == []
    assert report["firmware"] == firmware
    root = {one["rule"]: one for one in report["results"]}["running.root-grown"]
    assert root["status"] == grown
    assert grown == "passed" or "lvm" in root["found"]


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
