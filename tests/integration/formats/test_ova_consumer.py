"""The OVA: read by tar, sha256sum, xmllint, QEMU, and virt-v2v, which brings OVAs to KVM.

virt-v2v parses the envelope, finds the devices in it, and compares the manifest's sums. Neither
VMware's nor VirtualBox's importer can be had here, and DMTF's schema is in no package: the schema
is the one that we wrote after the standard's text.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

SCHEMA = Path(__file__).parents[2] / "builder" / "formats" / "ovf" / "envelope.xsd"


@pytest.fixture
def unpacked(everything: Any, tmp_path: Path) -> Path:
    """The OVA's files, by GNU tar."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "--extract", f"--file={everything.file('ova')}"], cwd=folder, check=True)
    return folder


def described(ova: Path) -> subprocess.CompletedProcess[str]:
    """Let virt-v2v say what the machine is; nothing is converted."""
    return subprocess.run(["virt-v2v", "-i", "ova", ova, "--print-source"], capture_output=True,
                          text=True, timeout=300)


def test_the_envelope_follows_the_schema(unpacked: Path) -> None:
    (envelope,) = unpacked.glob("*.ovf")
    done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", SCHEMA, envelope],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_manifest_is_right_for_sha256sum(unpacked: Path) -> None:
    (manifest,) = unpacked.glob("*.mf")
    lines = manifest.read_text().replace(")= ", ") = ")  # BSD's spelling, which sha256sum reads
    done = subprocess.run(["sha256sum", "--check", "--strict"], cwd=unpacked, input=lines,
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": OK") == 2


def test_virt_v2v_finds_the_machine(everything: Any) -> None:
    done = described(everything.file("ova"))
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "hypervisor type: vmware" in said
    assert "memory: 2147483648 (bytes)" in said
    assert "nr vCPUs: 2" in said
    assert "firmware: bios" in said
    assert "0 [sata]" in said
    assert 'Bridge "VM Network" [e1000]' in said


def test_virt_v2v_finds_a_disk_that_was_changed(everything: Any, tmp_path: Path) -> None:
    changed = tmp_path / "changed.ova"
    subprocess.run(["cp", everything.file("ova"), changed], check=True)
    with tarfile.open(changed) as opened:
        at = opened.getmembers()[-1].offset_data
    with changed.open("r+b") as stream:
        stream.seek(at + 600_000)
        byte = stream.read(1)
        stream.seek(at + 600_000)
        stream.write(bytes([byte[0] ^ 1]))
    done = described(changed)
    assert done.returncode != 0
    assert "checksum" in done.stderr


def test_qemu_reads_the_disk_inside_as_the_raw(everything: Any) -> None:
    ova = everything.file("ova")
    with tarfile.open(ova) as opened:
        member = opened.getmembers()[-1]
    assert member.name.endswith("-disk1.vmdk")
    inside = json.dumps({"driver": "vmdk", "file": {
        "driver": "raw", "offset": member.offset_data, "size": member.size,
        "file": {"driver": "file", "filename": str(ova)}}})
    image = next(name for name in sorted(everything.folders)
                 if any(each.format == "ova" for each in everything.record(name).artefacts))
    raw = everything.raw_of(image)
    subprocess.run(["qemu-img", "compare", "-F", "raw", f"json:{inside}", raw],
                   check=True, capture_output=True)
