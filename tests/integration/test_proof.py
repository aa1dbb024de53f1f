"""The proof: finished images meet their spec, boot both ways, and are published and verified."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from images.record import read
from tests.integration.conftest import Command


def failures(report: Any) -> list[str]:
    """Return what keeps a report from passing, with its evidence."""
    return [f"{r['rule']}: found {r['found']}; expected {r['expected']}" for r in report["results"]
            if r["severity"] == "must" and r["status"] in ("failed", "unknown")]


@pytest.mark.parametrize("folder", ["built", "built_9"])
def test_the_image_meets_its_spec(
    ccis: Command, folder: str, request: pytest.FixtureRequest,
) -> None:
    report = ccis.json("validate", request.getfixturevalue(folder))
    assert failures(report) == []
    assert sum(r["status"] == "passed" for r in report["results"]) >= 20


def test_a_second_proof_of_the_same_bytes_is_the_one_that_was_kept(
    ccis: Command, built: Path,
) -> None:
    """It has the first one's duration: nothing was read again."""
    first, second = ccis.json("validate", built), ccis.json("validate", built)
    assert first == second


def test_an_image_that_breaks_a_rule_ends_with_status_1_and_names_it(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    spec = tmp_path / "strict.yaml"
    spec.write_text(
        "name: strict\ntitle: Strict\nrules:\n"
        "  - id: test.no-shell\n    title: No shell\n    rationale: A test.\n"
        "    check: {kind: absent, paths: [/usr/bin/bash]}\n")
    done = ccis("validate", built, "--spec", spec, status=1)
    assert "test.no-shell" in done.stdout and "/usr/bin/bash" in done.stdout


@pytest.mark.parametrize(("folder", "firmware"), [
    ("built", "uefi"), ("built_9", "bios"),
    pytest.param("built", "bios", marks=pytest.mark.full),
    pytest.param("built_9", "uefi", marks=pytest.mark.full),
])
def test_each_release_boots_by_each_firmware(
    ccis: Command, folder: str, firmware: str, request: pytest.FixtureRequest,
) -> None:
    (report,) = ccis.json("boot", request.getfixturevalue(folder), "--firmware", firmware)
    assert report["firmware"] == firmware
    assert failures(report) == []


@pytest.mark.full
def test_without_a_firmware_named_it_boots_by_both(ccis: Command, built: Path) -> None:
    reports = ccis.json("boot", built)
    assert [report["firmware"] for report in reports] == ["bios", "uefi"]
    assert [failures(report) for report in reports] == [[], []]


def test_published_verified_and_a_changed_byte_is_found(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    root = tmp_path / "public"
    ccis("publish", built, "--root", root, "--rehearsal-key")
    ccis("verify", root)
    record = read(built)
    folder = root / record.public_path / record.arch / "images"
    assert folder == root / "centos/10-stream/x86_64/images"
    name = next(a.file for a in record.artefacts if a.format == "qcow2")
    assert (folder / name.replace(record.build_id, "latest")).samefile(folder / name)
    # The tree may share its files with the store: spoil a copy.
    spoilt = tmp_path / "spoilt"
    shutil.copyfile(folder / name, spoilt)
    with spoilt.open("r+b") as stream:
        stream.seek(100_000)
        byte = stream.read(1)
        stream.seek(100_000)
        stream.write(bytes([byte[0] ^ 1]))
    (folder / name).unlink()
    shutil.move(spoilt, folder / name)
    done = ccis("verify", root, status=1)
    assert name in done.stdout + done.stderr
