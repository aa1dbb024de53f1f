"""Every disk artefact, as its readers see it: the raw disk, byte for byte, and headers that fit."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MIB, GIB = 1 << 20, 1 << 30

QEMU = {
    "qcow2": "qcow2", "qcow2-zlib": "qcow2", "vmdk": "vmdk", "vmdk-sparse": "vmdk", "vhd": "vpc",
    "vhd-dynamic": "vpc", "vhdx": "vhdx", "vdi": "vdi",
}
UNPACKERS = {"raw-xz": ["xz", "-T0"], "raw-gz": ["gzip"], "raw-zst": ["zstd"]}


def pairs(everything: Any, name: str) -> Iterator[tuple[Path, Path]]:
    """Yield (artefact, raw disk) of every image that has the format."""
    found = 0
    for image in sorted(everything.folders):
        if any(each.format == name for each in everything.record(image).artefacts):
            found += 1
            yield everything.file(name, image), everything.raw_of(image)
    assert found, f"no image has {name}"


def run(*words: str | Path) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", QEMU)
def test_qemu_reads_the_raw_disk_out_of_it(everything: Any, name: str) -> None:
    for artefact, raw in pairs(everything, name):
        run("qemu-img", "compare", "-f", "raw", "-F", QEMU[name], raw, artefact)
        info = json.loads(run("qemu-img", "info", "-f", QEMU[name], "--output=json", artefact))
        assert info["virtual-size"] == raw.stat().st_size


@pytest.mark.parametrize("name", sorted(set(QEMU) - {"vhd", "vhd-dynamic"}))
def test_qemu_finds_nothing_wrong(everything: Any, name: str) -> None:
    for artefact, _ in pairs(everything, name):
        report = json.loads(run("qemu-img", "check", "-f", QEMU[name], "--output=json", artefact))
        assert report["check-errors"] == 0
        assert not report.get("corruptions") and not report.get("leaks")


@pytest.mark.parametrize("name", UNPACKERS)
def test_the_usual_program_unpacks_the_raw_disk(everything: Any, name: str) -> None:
    for artefact, raw in pairs(everything, name):
        with subprocess.Popen([*UNPACKERS[name], "-dc", artefact],
                              stdout=subprocess.PIPE) as unpacker:
            subprocess.run(["cmp", "-", raw], stdin=unpacker.stdout, check=True)
        assert unpacker.returncode == 0


def test_raw_is_the_raw_disk(everything: Any) -> None:
    for artefact, raw in pairs(everything, "raw"):
        run("qemu-img", "compare", "-s", "-f", "raw", "-F", "raw", raw, artefact)


def test_azure_gets_a_fixed_vhd_of_whole_mib(everything: Any) -> None:
    for artefact, raw in pairs(everything, "vhd"):
        assert "Fixed" in property_of(run("vhdiinfo", artefact), "Disk type")
        with artefact.open("rb") as stream:
            stream.seek(-512, 2)
            footer = stream.read()
        cookie, size_bytes = struct.unpack_from(">8s32xQ", footer)
        assert cookie == b"conectix"
        assert size_bytes == raw.stat().st_size == artefact.stat().st_size - 512
        assert size_bytes % MIB == 0


def test_libvhdi_reads_the_footer_of_a_dynamic_vhd(everything: Any) -> None:
    for artefact, raw in pairs(everything, "vhd-dynamic"):
        report = run("vhdiinfo", artefact)
        assert "Dynamic" in property_of(report, "Disk type")
        assert f"({raw.stat().st_size} bytes)" in property_of(report, "Media size")


def test_libvhdi_reads_the_headers_of_a_vhdx(everything: Any) -> None:
    for artefact, raw in pairs(everything, "vhdx"):
        report = run("vhdiinfo", artefact)
        assert "Dynamic" in property_of(report, "Disk type")
        assert f"({raw.stat().st_size} bytes)" in property_of(report, "Media size")


@pytest.mark.parametrize("name", ["vhd", "vhd-dynamic", "vhdx"])
def test_libvhdi_reads_the_partition_table(everything: Any, name: str) -> None:
    pyvhdi = pytest.importorskip("pyvhdi")
    for artefact, raw in pairs(everything, name):
        file = pyvhdi.file()
        file.open(str(artefact))
        size_bytes = file.get_media_size()
        with raw.open("rb") as stream:
            assert file.read_buffer_at_offset(MIB, 0) == stream.read(MIB)
            stream.seek(size_bytes - MIB)
            assert file.read_buffer_at_offset(MIB, size_bytes - MIB) == stream.read()
        file.close()


@pytest.mark.parametrize(("name", "kind"), [
    ("vmdk", "Stream optimized"), ("vmdk-sparse", "Monolithic sparse"),
])
def test_libvmdk_reads_the_descriptor(
    everything: Any, name: str, kind: str, tmp_path: Path,
) -> None:
    for artefact, raw in pairs(everything, name):
        # libvmdk looks for the extent under the name in the descriptor, also in a single file.
        alias = tmp_path / "disk.vmdk"
        alias.unlink(missing_ok=True)
        alias.symlink_to(artefact)
        report = run("vmdkinfo", alias)
        assert property_of(report, "Disk type").lower() == kind.lower()
        assert f"({raw.stat().st_size} bytes)" in property_of(report, "Media size")
        assert re.fullmatch(r"0x[0-9a-f]{8}", property_of(report, "Content identifier"))


def property_of(report: str, name: str) -> str:
    found = re.search(rf"^\s*{name}\s*:\s+(.+)$", report, re.MULTILINE)
    assert found, f"no {name} in\n{report}"
    return found[1]


@pytest.mark.parametrize(("name", "kind"), [("vdi", "vdi"), ("vhdx", "vhdx"), ("vmdk", "vmdk")])
def test_seven_zip_knows_the_disk_and_its_size(everything: Any, name: str, kind: str) -> None:
    for artefact, raw in pairs(everything, name):
        listing = run("7zz", "l", f"-t{kind}", "-slt", artefact)
        assert re.search(rf"^Size = {raw.stat().st_size}$", listing, re.MULTILINE), listing


def test_google_gets_a_sparse_disk_raw_of_whole_gib(everything: Any, tmp_path: Path) -> None:
    for artefact, raw in pairs(everything, "gce"):
        with tarfile.open(artefact) as archive:
            (member,) = archive.getmembers()
            assert (member.name, member.size) == ("disk.raw", raw.stat().st_size)
            assert member.issparse()
            assert member.size % GIB == 0
            disk = archive.extractfile(member)
            assert disk is not None
            with raw.open("rb") as stream:
                assert disk.read(MIB) == stream.read(MIB)
        assert run("tar", "-tzf", artefact) == "disk.raw\n"
        run("tar", "-xzf", artefact, "-C", tmp_path)
        unpacked = tmp_path / "disk.raw"
        assert unpacked.stat().st_size == raw.stat().st_size
        assert unpacked.stat().st_blocks <= raw.stat().st_blocks + MIB // 512
        run("qemu-img", "compare", "-f", "raw", "-F", "raw", raw, unpacked)
        unpacked.unlink()


def test_what_needs_no_compressor_is_no_larger_than_the_disk(everything: Any) -> None:
    for name in ("vhd", "vhd-dynamic", "vhdx", "vdi", "vmdk-sparse"):
        for artefact, raw in pairs(everything, name):
            extra = (artefact.stat().st_blocks - raw.stat().st_blocks) * 512
            assert extra < 2 * MIB, f"{name}: holes were filled"
