"""Vagrant boxes and Eucalyptus bundles: each is read as the disk that the builder put into it."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from builder.artefact import About
from builder.formats import (
    eucalyptus,
    vagrant_hyperv,
    vagrant_libvirt,
    vagrant_virtualbox,
    vagrant_vmware,
)
from host.errors import InputError
from host.progress import Silent
from tests.security.artefact_images import header
from tests.security.tar_pieces import END, member, sparse
from validate.packed import as_raw, kind_of
from validate.trees import is_tree

SIZE = 3 << 20
ABOUT = About(
    title="CentOS Stream 10 Vagrant", image="vagrant", flavour="Vagrant",
    distribution="CentOS-Stream", version="10", arch="x86_64", epoch=1_700_000_000,
    disk_size_bytes=SIZE)
SOURCES = {"zlib.qcow2": ("qcow2", None), "vmdk": ("vmdk", "subformat=streamOptimized"),
           "sparse.vmdk": ("vmdk", "subformat=monolithicSparse"), "vhdx": ("vhdx", None)}
BOXES = {"libvirt": vagrant_libvirt, "virtualbox": vagrant_virtualbox,
         "vmware_desktop": vagrant_vmware, "hyperv": vagrant_hyperv}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk, and beside it what the builder's boxes are made of."""
    folder = tmp_path_factory.mktemp("disk")
    path = folder / "disk.raw"
    path.write_bytes(b"beginning".ljust(SIZE - 4, b"\0") + b"last")
    for name, (kind, options) in SOURCES.items():
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind,
                        *(["-o", options] if options else []), path, folder / name], check=True)
    return path


def box(disk: Path, provider: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    BOXES[provider].make(disk.parent, folder, ABOUT, Silent())
    (made,) = folder.iterdir()
    return made


def changed(path: Path, **other: bytes | None) -> Path:
    """Return the box with other members; None: without this one. Doubled lines stand for dots."""
    wanted = {name.replace("__", "."): content for name, content in other.items()}
    out = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=out, mode="w") as new:
        for one in old:
            content = old.extractfile(one).read()  # type: ignore[union-attr]
            content = wanted.pop(one.name, content)
            if content is not None:
                one.size = len(content)
                new.addfile(one, io.BytesIO(content))
    target = path.with_name("changed.box")
    target.write_bytes(out.getvalue())
    return target


@pytest.mark.parametrize("provider", BOXES)
def test_a_box_of_each_provider_is_its_disk(disk: Path, tmp_path: Path, provider: str) -> None:
    path = box(disk, provider, tmp_path / "out")
    before = path.read_bytes()
    for kind in (provider, kind_of(path, None)):
        assert kind is not None
        with as_raw(path, kind) as found:
            assert found.raw.read_bytes() == disk.read_bytes()
            assert found.faults == ()
    assert path.read_bytes() == before


@pytest.mark.parametrize(("provider", "other", "fault"), [
    ("libvirt", {"metadata__json": None}, "no metadata.json"),
    ("libvirt", {"metadata__json": b'{"provider": "hyperv"}'}, "names the provider hyperv"),
    ("libvirt", {"metadata__json": b'{"provider": "libvirt", "format": "raw"}'}, "format is qcow2"),
    ("libvirt", {"metadata__json": json.dumps(
        {"provider": "libvirt", "format": "qcow2", "virtual_size": 0}).encode()}, "tells of 0 GB"),
    ("libvirt", {"metadata__json": b"[]"}, "no object"),
    ("virtualbox", {"box__ovf": b"<Envelope/>"}, "ends in .ovf names"),
    ("vmware_desktop", {"box__vmx": None}, "ends in .vmx names"),
    ("hyperv", {"Virtual Machines/box__xml": b""}, "ends in .xml names"),
])
def test_what_a_provider_would_refuse_is_a_fault(
    disk: Path, tmp_path: Path, provider: str, other: dict[str, bytes | None], fault: str,
) -> None:
    path = changed(box(disk, provider, tmp_path / "out"), **other)
    with as_raw(path, provider) as found:
        assert fault in "; ".join(found.faults)


DESCRIPTOR = b'# Disk DescriptorFile\nversion=1\nRW 8 FLAT "/etc/passwd" 0\n'


@pytest.mark.parametrize(("content", "said"), [
    (b"", "empty"), (member("metadata.json", b"{}"), "no disk"),
    (member("metadata.json", b"{" * 9) + member("box.img", b"x"), "JSON"),
    (member("box.img", b"no qcow2"), "is not a qcow2"),
    (member("box.img", header(name=b"/etc/passwd")), "names other files"),
    (member("x.vmdk", DESCRIPTOR), "names other files"), (sparse("box.img", 1 << 60), "unpacks to"),
    (member("box.img", kind=tarfile.SYMTYPE, link="/etc/passwd"), "no disk"),
    (b"".join(member(f"{n}") for n in range(99)), "more members"),
])
def test_boxes_that_attack_are_bad_input(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.box"
    for packed in (content + END if content else b"", gzip.compress(content + END)):
        path.write_bytes(packed)
        with pytest.raises(InputError) as caught, as_raw(path, "box"):
            pass
        assert said in str(caught.value) or packed[:2] == b"\x1f\x8b"


@pytest.fixture
def bundle(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle for nobody but us."""
    for name in ("EC2_CERT", "EC2_PRIVATE_KEY", "EUCALYPTUS_CERT", "EC2_USER_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bundle"
    folder.mkdir()
    eucalyptus.make(disk, folder, ABOUT, Silent())
    return (folder / "eucalyptus.tar").rename(tmp_path / "x.eucalyptus.tar")


def test_a_bundle_is_its_disk(disk: Path, bundle: Path) -> None:
    assert not is_tree(bundle, None) and kind_of(bundle, None) == "bundle"
    with as_raw(bundle, "bundle") as found:
        assert found.raw.read_bytes() == disk.read_bytes()
        assert found.faults == ()


@pytest.mark.parametrize(("old", "new", "fault"), [
    (b"<size>3145728<", b"<size>3145729<", "another size of the disk"),
    (b"<architecture>x86_64<", b"<architecture>sparc!<", "signature is not"),
    (b'<part index="0">', b'<part index="1">', "is not part 0"),
])
def test_a_manifest_that_was_changed_has_faults(
    bundle: Path, old: bytes, new: bytes, fault: str,
) -> None:
    content = bundle.read_bytes()
    assert content.count(old) == 1
    bundle.write_bytes(content.replace(old, new))
    with as_raw(bundle, "bundle") as found:
        assert fault in "; ".join(found.faults) and "signature" in "; ".join(found.faults)


def test_a_bundle_for_somebody_else_and_a_broken_one_are_bad_input(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = bundle.read_bytes()
    damaged = bytearray(content)
    damaged[600] ^= 1
    for bad, said in ((bytes(damaged), "broken"), (content[:1024], "tar"),
                      (content.replace(b"<manifest>", b"<!DOCTYPE>"), "document type"),
                      (content.replace(b"image.part.00<", b"image.part.77<"), "no part")):
        bundle.write_bytes(bad)
        with pytest.raises(InputError) as caught, as_raw(bundle, "bundle"):
            pass
        assert said in str(caught.value)
    bundle.write_bytes(content)
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "other"))
    with pytest.raises(InputError, match="for somebody else"), as_raw(bundle, "bundle"):
        pass
