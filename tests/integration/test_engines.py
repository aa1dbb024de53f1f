"""The engines' contract on the real thing: GenericCloud by both is the same image."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from builder.disk.parts import Partition
from host.mounts import private_mounts
from images.record import read
from tests.builder.disk.disk_machine import serial_output
from tests.builder.disk.disk_trees import describe, mounted_read_only
from tests.integration.conftest import Command

SECTOR = 512
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
SYSTEM_PARTITION = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"


@pytest.fixture(scope="module")
def images(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The raw image of generic-cloud by each engine, from one and the same root tree."""
    folders = {
        engine: build(ccis, engine, tmp_path_factory.mktemp(engine))
        for engine in ("guestfs", "direct")
    }
    for _ in range(3):
        if seal_digest(folders["guestfs"]) == seal_digest(folders["direct"]):
            break
        # The rehearsal repository was made anew between the two builds.
        for engine in folders:
            folders[engine] = build(ccis, engine, tmp_path_factory.mktemp(engine))
    return {engine: next(folder.glob("*.raw")) for engine, folder in folders.items()}


def build(ccis: Command, engine: str, out: Path) -> Path:
    (report,) = ccis.json(
        "build", "generic-cloud", "--release", "rehearsal-10", "--engine", engine,
        "--format", "raw", "--out", out,
    )
    folder = Path(report["folder"])
    assert read(folder).engine == engine
    return folder


def seal_digest(folder: Path) -> str:
    """Return the identity of the finished root tree, the disk's only input."""
    return next(step.digest for step in read(folder).steps if step.name == "seal")


def table(image: Path) -> dict[str, Any]:
    """Return the partition table, without the image's own path."""
    shown = subprocess.run(["sfdisk", "--json", image], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(shown.stdout)["partitiontable"]
    del found["device"]
    for part in found["partitions"]:
        part["node"] = part["node"].removeprefix(str(image))
    return found


def partitions(image: Path) -> list[tuple[Partition, dict[str, str]]]:
    """Return each partition with what blkid finds in it."""
    found = []
    for number, row in enumerate(table(image)["partitions"], start=1):
        start, size = row["start"] * SECTOR, row["size"] * SECTOR
        shown = subprocess.run(
            ["blkid", "-p", "-o", "export", "-O", str(start), "-S", str(size), image],
            capture_output=True, text=True, check=False,
        ).stdout
        facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        facts.pop("DEVNAME", None)
        found.append((Partition(
            number=number, mountpoint=None, fstype=facts.get("TYPE", "biosboot"), start_bytes=start,
            size_bytes=size, type_id=row["type"], part_uuid=row["uuid"], fs_uuid=facts.get("UUID"),
            label=facts.get("LABEL"),
        ), facts))
    return found


def test_the_partition_tables_are_equal(images: dict[str, Path]) -> None:
    direct, guestfs = (table(images[engine]) for engine in ("direct", "guestfs"))
    assert direct == guestfs
    assert {BIOS_BOOT, SYSTEM_PARTITION} < {part["type"] for part in direct["partitions"]}


def test_the_file_systems_have_the_same_kinds_names_and_sizes(images: dict[str, Path]) -> None:
    direct, guestfs = (partitions(images[engine]) for engine in ("direct", "guestfs"))
    assert direct == guestfs


def test_the_boot_sectors_are_equal(images: dict[str, Path]) -> None:
    pieces = []
    for image in images.values():
        place = next(part for part, _ in partitions(image) if part.type_id == BIOS_BOOT)
        with image.open("rb") as stream:
            first = stream.read(SECTOR)
            stream.seek(place.start_bytes)
            pieces.append((first, stream.read(place.size_bytes)))
    assert pieces[0] == pieces[1]
    assert b"GRUB" in pieces[0][0] and len(pieces[0][1].rstrip(b"\0")) > 20_000


def test_the_root_trees_are_equal_attribute_for_attribute(
    images: dict[str, Path], tmp_path: Path,
) -> None:
    private_mounts()
    trees = []
    for name, image in images.items():
        root = next(part for part, _ in partitions(image) if part.fstype == "xfs")
        with mounted_read_only(image, root, tmp_path / name) as mounted:
            trees.append(describe(mounted))
    direct, guestfs = trees
    assert direct.keys() == guestfs.keys()
    assert {path for path, entry in direct.items() if entry != guestfs[path]} == set()
    assert len(direct) > 10_000
    unlabelled = [path for path, entry in direct.items()
                  if "security.selinux" not in dict(entry.attributes)]
    assert set(unlabelled) <= {"proc"}, "the policy says <<none>> for what is mounted there"


def test_the_system_partitions_are_equal_files_names_and_times(images: dict[str, Path]) -> None:
    direct, guestfs = (fat_entries(images[engine]) for engine in ("direct", "guestfs"))
    assert direct == guestfs
    assert "BOOTX64.EFI" in {name for name, *_ in direct}


def fat_entries(image: Path) -> list[tuple[str, str, str]]:
    """Return name, size and time of all entries of the system partition, folder by folder.

    A short name in small letters may be stored as such or as a long name: both show the same.
    `.` and `..`, which nobody sees, have the hour at which the kernel made them.
    """
    part = next(part for part, _ in partitions(image) if part.type_id == SYSTEM_PARTITION)
    listing = subprocess.run(
        ["mdir", "-/", "-a", "-i", f"{image}@@{part.start_bytes}", "::"],
        capture_output=True, text=True, check=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "MTOOLS_SKIP_CHECK": "1"},
    ).stdout
    row = re.compile(r"(?P<base>[^.\s]\S*) +(?P<ext>\S*) +(?P<size><DIR>|\d+) +"
                     r"(?P<time>\d{4}-\d\d-\d\d +\d+:\d\d) *(?P<long>.*)")
    found = []
    for line in listing.splitlines():
        if entry := row.fullmatch(line):
            short = ".".join(filter(None, (entry["base"], entry["ext"])))
            found.append((entry["long"].strip() or short, entry["size"], entry["time"]))
    return found


@pytest.mark.parametrize("engine", ["direct", "guestfs"])
def test_a_bios_starts_the_kernel(images: dict[str, Path], engine: str, tmp_path: Path) -> None:
    said = serial_output(
        images[engine], until="Linux version", log=tmp_path / "serial.log", timeout_s=300,
        memory_mib=1024,
    )
    assert "Linux version" in said
