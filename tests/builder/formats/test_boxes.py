"""Vagrant boxes: what is in them, what they say, and that they come out the same each time."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.artefact import About
from builder.formats.archives import archive
from builder.formats.registry import get
from builder.formats.streams import gzip_member
from host.errors import InputError
from host.progress import Silent

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
ABOUT = About(
    title='CentOS "Stream" 10 & more', image="vagrant", flavour="Vagrant",
    distribution="CentOS-Stream", version="10", arch="x86_64", epoch=1_700_000_000,
    disk_size_bytes=10 * GIB,
)
DISKS = {"vagrant-libvirt": "zlib.qcow2", "vagrant-virtualbox": "vmdk",
         "vagrant-vmware": "sparse.vmdk", "vagrant-hyperv": "vhdx"}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A file with something to compress, something that can't be, and a hole."""
    path = tmp_path / "disk"
    with path.open("wb") as stream:
        stream.write(b"text " * 300_000 + os.urandom(700 * KIB))
        stream.seek(13 * MIB + 17)
        stream.write(b"end")
    return path


def box(name: str, disk: Path, about: About = ABOUT) -> bytes:
    """Make a box whose disk has the content of `disk`."""
    source, folder = disk.parent / f"{name}-source", disk.parent / f"{name}-{time.monotonic_ns()}"
    source.mkdir(exist_ok=True)
    folder.mkdir()
    inside = source / DISKS[name]
    if not inside.exists():
        inside.hardlink_to(disk)
    get(name).make(source, folder, about.only(get(name).uses), Silent())
    assert [each.name for each in folder.iterdir()] == [f"{name}.box"]
    return (folder / f"{name}.box").read_bytes()


def contents(made: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(made)) as opened:
        files = {}
        for each in opened:
            reader = opened.extractfile(each)
            assert reader is not None, "plain files only"
            files[each.name] = reader.read()
        return files


@pytest.mark.parametrize(("name", "provider", "inside"), [
    ("vagrant-libvirt", "libvirt", "box.img"),
    ("vagrant-virtualbox", "virtualbox", "box-disk001.vmdk"),
    ("vagrant-vmware", "vmware_desktop", "disk.vmdk"),
    ("vagrant-hyperv", "hyperv", "Virtual Hard Disks/disk.vhdx"),
])
def test_a_box_holds_the_disk_and_says_for_which_provider(
    disk: Path, name: str, provider: str, inside: str,
) -> None:
    files = contents(box(name, disk))
    assert files[inside] == disk.read_bytes()
    assert json.loads(files["metadata.json"])["provider"] == provider
    assert json.loads(files["info.json"])["version"] == ABOUT.version
    assert files["Vagrantfile"].startswith(b'Vagrant.configure("2")')


@pytest.mark.parametrize("name", DISKS)
def test_a_box_is_the_same_whatever_the_clock_and_the_processors(
    disk: Path, name: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = box(name, disk)
    os.utime(disk, (1, 1))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(7)))
    assert box(name, disk) == first


@pytest.mark.parametrize("name", DISKS)
def test_owners_times_and_order_are_ours(disk: Path, name: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(box(name, disk))) as opened:
        members = opened.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mode, m.mtime) for m in members} == {
        (0, 0, "", "", 0o644, ABOUT.epoch)}
    small = [m.name for m in members[:-1]]
    assert small == sorted(small)


def test_only_disks_that_are_not_compressed_are_gzipped(disk: Path) -> None:
    gzipped = {name for name in DISKS if box(name, disk).startswith(b"\x1f\x8b")}
    assert gzipped == {"vagrant-vmware", "vagrant-hyperv"}


@pytest.mark.parametrize(("size_bytes", "size_gb"), [
    (10 * GIB, 10), (10 * GIB + 512, 11), (10 * GIB - 1, 10), (4 * GIB, 4), (1, 1),
])
def test_libvirt_is_told_the_size_rounded_up(disk: Path, size_bytes: int, size_gb: int) -> None:
    files = contents(box("vagrant-libvirt", disk, replace(ABOUT, disk_size_bytes=size_bytes)))
    assert json.loads(files["metadata.json"]) == {
        "provider": "libvirt", "format": "qcow2", "virtual_size": size_gb}


def test_virtualbox_reads_its_own_names_of_the_hardware(disk: Path) -> None:
    text = contents(box("vagrant-virtualbox", disk))["box.ovf"].decode()
    assert "<rasd:ResourceSubType>AHCI</rasd:ResourceSubType>" in text
    assert "virtualbox-2.2" in text
    assert 'ovf:href="box-disk001.vmdk"' in text


def test_vmware_gets_a_configuration_that_names_the_disk(disk: Path) -> None:
    lines = contents(box("vagrant-vmware", disk))["box.vmx"].decode().splitlines()
    settings = dict(re.fullmatch(r'(\S+) = "([^"]*)"', line).groups() for line in lines)  # type: ignore[union-attr]
    assert settings["scsi0:0.fileName"] == "disk.vmdk"
    assert settings["scsi0.virtualDev"] == "pvscsi"
    assert settings["ethernet0.virtualDev"] == "vmxnet3"
    assert settings["annotation"] == "CentOS |22Stream|22 10 & more"


def test_hyperv_gets_what_vagrant_reads_in_the_xml(disk: Path) -> None:
    """The expressions are those of New-VagrantVMXML in Vagrant's VagrantVM.psm1."""
    root = ET.fromstring(contents(box("vagrant-hyperv", disk))["Virtual Machines/box.xml"])

    def text(path: str) -> str | None:
        node = root.find(path)
        assert node is not None and node.get("type"), "PowerShell's .'#text' needs an attribute"
        return node.text

    assert root.tag == "configuration"
    assert text("properties/subtype") == "0", "generation 1"
    assert text("properties/name") == "centos-stream-10-vagrant"
    assert text("properties/notes") == ABOUT.title
    assert text(".//boot/device0") == "HardDrive"
    assert int(text("settings/processors/count") or 0) > 0
    assert text(".//memory/bank/dynamic_memory_enabled") == "False"
    assert int(text(".//memory/bank/size") or 0) >= 1024
    controllers = [node for node in root.iter() if node.tag.startswith("controller")]
    drives = [(node.tag, drive.findtext("type")) for node in controllers for drive in node]
    assert drives == [("controller0", "VHD")]


@pytest.mark.parametrize("name", sorted(set(DISKS) - {"vagrant-libvirt"}))
def test_machines_are_described_for_x86_64_only(disk: Path, name: str) -> None:
    with pytest.raises(InputError, match="aarch64"):
        box(name, disk, replace(ABOUT, arch="aarch64"))


# The helpers below the boxes.


def test_an_archive_keeps_holes_and_is_whole(tmp_path: Path, disk: Path) -> None:
    content = disk.read_bytes()
    made = tmp_path / "made.tar"
    archive.write(made, archive.tar(
        archive.member("a", b"", 1), archive.member("b", b"x" * 512, 2),
        archive.member("c", disk, 3)))
    assert contents(made.read_bytes()) == {"a": b"", "b": b"x" * 512, "c": content}
    assert made.stat().st_size % tarfile.RECORDSIZE == 0
    assert made.stat().st_blocks * 512 < 6 * MIB


def test_a_file_of_8_gib_gets_a_header_that_holds_its_size(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(8 * GIB)
    header, is_data = next(archive.member("large", large, 1))
    assert is_data
    assert tarfile.TarInfo.frombuf(bytes(header), "utf-8", "strict").size == 8 * GIB


def test_gzip_is_one_member_that_python_reads(disk: Path) -> None:
    made = b"".join(archive.gzipped(archive.tar(archive.member("x", disk, 1)), 6))
    assert contents(gzip.decompress(made)) == {"x": disk.read_bytes()}
    assert made.count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00") == 1


def test_gzip_of_nothing() -> None:
    assert gzip.decompress(b"".join(archive.gzipped([], 1))) == b""


def test_holes_are_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[int] = []
    real = gzip_member.piece

    def counted(data: bytes, level: int) -> gzip_member.Piece:
        worked.append(len(data))
        return real(data, level)

    monkeypatch.setattr(gzip_member, "piece", counted)
    gzip_member.zeroes.cache_clear()
    holes: Iterator[archive.Piece] = ((bytes(MIB), False) for _ in range(50))
    made = b"".join(archive.gzipped(holes, 6))
    assert set(worked) == {MIB}
    assert len(worked) <= len(os.sched_getaffinity(0)), "each processor's first may run at once"
    assert gzip.decompress(made) == bytes(50 * MIB)


@pytest.mark.parametrize("name", DISKS)
def test_other_holes_in_the_disk_give_the_same_box(disk: Path, name: str) -> None:
    first = box(name, disk)
    full = disk.parent / "full" / "disk"
    full.parent.mkdir()
    full.write_bytes(disk.read_bytes())
    assert full.stat().st_blocks > disk.stat().st_blocks
    assert box(name, full) == first


def test_progress_is_told_in_percent(disk: Path) -> None:
    told: list[float] = []

    class Watcher(Silent):
        def advance(self, step: str, done: float, note: str = "") -> None:
            assert step == "a-step"
            told.append(done)

    size_bytes = disk.stat().st_size
    for _ in archive.watched(archive.member("x", disk, 1), size_bytes, Watcher(), "a-step"):
        pass
    assert told == sorted(set(told))
    assert told[-1] == 100
