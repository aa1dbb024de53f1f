"""The OVA: order and sums as DSP0243 wants them, and a description that the schema takes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from builder.artefact import About
from builder.formats import ova
from builder.formats.machines import ovf
from host.errors import InputError
from host.progress import Silent

SCHEMA = Path(__file__).parent / "ovf" / "envelope.xsd"
ABOUT = About(
    title='CentOS Stream 10 <GenericCloud> & "more"', image="generic-cloud",
    flavour="GenericCloud", distribution="CentOS-Stream", version="10", arch="x86_64",
    epoch=1_700_000_000, disk_size_bytes=10 << 30,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "vmdk").write_bytes(os.urandom(3_000_001))
    return folder


def made(source: Path, about: About = ABOUT) -> Path:
    folder = source.parent / f"made-{time.monotonic_ns()}"
    folder.mkdir()
    ova.make(source, folder, about.only(ova.uses), Silent())
    assert [each.name for each in folder.iterdir()] == ["ova"]
    return folder / "ova"


def schema_errors(envelope: str, tmp_path: Path) -> str:
    path = tmp_path / "envelope.ovf"
    path.write_text(envelope, encoding="utf-8")
    done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", SCHEMA, path],
                          capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def test_envelope_then_manifest_then_disk(source: Path) -> None:
    with tarfile.open(made(source)) as opened:
        assert opened.getnames() == [
            "centos-stream-10-genericcloud.ovf", "centos-stream-10-genericcloud.mf",
            "centos-stream-10-genericcloud-disk1.vmdk"]


def test_the_sums_are_those_of_the_files(source: Path) -> None:
    with tarfile.open(made(source)) as opened:
        files = {each.name: opened.extractfile(each).read() for each in opened}  # type: ignore[union-attr]
    manifest = files.pop("centos-stream-10-genericcloud.mf").decode()
    sums = dict(re.findall(r"^SHA256\((.+)\)= ([0-9a-f]{64})$", manifest, re.MULTILINE))
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert files["centos-stream-10-genericcloud-disk1.vmdk"] == (source / "vmdk").read_bytes()


def test_the_same_bytes_whatever_the_clock(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(source).read_bytes()
    os.utime(source / "vmdk", (1, 1))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert made(source).read_bytes() == first


def test_the_header_is_ustar(source: Path) -> None:
    assert made(source).read_bytes()[257:265] == b"ustar\x0000"


@pytest.mark.parametrize("hypervisor", [ovf.VMWARE, ovf.VIRTUALBOX])
def test_the_schema_takes_the_envelope(hypervisor: ovf.Hypervisor, tmp_path: Path) -> None:
    assert schema_errors(ovf.envelope(ABOUT, hypervisor, "a disk.vmdk", 7), tmp_path) == ""


@pytest.mark.parametrize(("old", "new"), [
    ("<Info>A virtual machine</Info>", ""),
    ("ovf:capacity=", "ovf:capacities="),
    ("<Info>The disk of the machine</Info>", "<Note/>"),
    ("<rasd:InstanceID>3</rasd:InstanceID>", ""),
    ("<rasd:Parent>3</rasd:Parent>", "<rasd:Parents>3</rasd:Parents>"),
    ("<rasd:ResourceType>17</rasd:ResourceType>", "<rasd:ResourceType>disk</rasd:ResourceType>"),
    ('ovf:fileRef="file1"', 'ovf:fileRef="file2"'),
])
def test_the_schema_finds_what_is_wrong(old: str, new: str, tmp_path: Path) -> None:
    envelope = ovf.envelope(ABOUT, ovf.VMWARE, "disk.vmdk", 7)
    assert old in envelope
    assert schema_errors(envelope.replace(old, new), tmp_path)


def test_the_envelope_says_how_large_the_disk_is() -> None:
    envelope = ovf.envelope(ABOUT, ovf.VMWARE, "disk.vmdk", 7)
    assert 'ovf:capacity="10737418240" ovf:capacityAllocationUnits="byte"' in envelope
    assert 'ovf:size="7"' in envelope
    assert "<Product>CentOS Stream 10 &lt;GenericCloud&gt; &amp;" in envelope


def test_an_image_of_another_architecture_is_bad_input(source: Path) -> None:
    with pytest.raises(InputError, match=r"ova describes a machine for x86_64.*s390x"):
        made(source, replace(ABOUT, arch="s390x"))
