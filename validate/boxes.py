"""Vagrant boxes: what each provider's plugin unpacks and demands, and the disk that is in it.

Sources: developer.hashicorp.com/vagrant/docs/boxes/format; vagrant-libvirt's docs on its boxes;
plugins/providers/virtualbox and hyperv of Vagrant.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from host import block
from host.errors import InputError
from validate import tars
from validate.artefact import inspect
from validate.documents import parse_json
from validate.qcow2 import features
from validate.raw_disks import convert, need_one_file, written
from validate.streams import Budget, unpacked

_TEXT_BYTES_MAX = 1 << 20
_MEMBERS_MAX = 64
_DRIVERS: dict[str, block.Driver] = {
    ".img": "qcow2", ".qcow2": "qcow2", ".vmdk": "vmdk", ".vhdx": "vhdx", ".vhd": "vpc"}
_DISKS = {"libvirt": ("qcow2",), "virtualbox": ("vmdk",), "vmware_desktop": ("vmdk",),
          "hyperv": ("vhdx", "vpc")}
_DESCRIBED = {"virtualbox": ".ovf", "vmware_desktop": ".vmx", "hyperv": ".xml"}
"""What tells a provider of the machine: it names the disk."""


def read_box(provider: str | None, path: Path, stream: BinaryIO, raw: Path) -> list[str]:
    """Make the raw disk of a box; return what of the box is wrong.

    provider: as metadata.json must name it; None: any that we know.
    Raises InputError for what holds no disk, or is beyond bounds.
    """
    faults: list[str] = []
    texts, disks = _members(stream, raw.parent, faults)
    about = _metadata(texts, faults)
    named = str(about.get("provider", ""))[:40]
    if named not in _DISKS:
        faults.append(f"metadata.json names the provider {named or 'nobody'}")
    elif provider is not None and named != provider:
        faults.append(f"metadata.json names the provider {named}, the box is for {provider}")
    if not disks:
        raise InputError("holds no disk")
    if len(disks) > 1:
        faults.append(f"has {len(disks)} disks, and the first alone was looked at")
    (name, disk), *_ = disks.items()
    driver = _DRIVERS[disk.suffix if disk.suffix in _DRIVERS else ".img"]
    if named in _DISKS and driver not in _DISKS[named]:
        faults.append(f"{name} is no disk for {named}")
    size_bytes = _opened(disk, driver, raw, faults)
    if named == "libvirt":
        faults += _libvirt(about, name, size_bytes)
    elif named in _DESCRIBED:
        told = [text for each, text in texts.items() if each.endswith(_DESCRIBED[named])]
        if not any(PurePosixPath(name).name in text for text in told):
            faults.append(f"nothing in it that ends in {_DESCRIBED[named]} names {name}")
    return faults


def _members(
    stream: BinaryIO, folder: Path, faults: list[str],
) -> tuple[dict[str, str], dict[str, Path]]:
    """Return texts by name, and disks, which are copied to a folder of ours by numbers."""
    texts: dict[str, str] = {}
    disks: dict[str, Path] = {}
    budget = Budget()
    archive = tars.Archive(unpacked(stream, budget), budget)
    for member in archive:
        name = member.name.removeprefix("./")
        if member.isdir():
            continue
        content = archive.content(member)
        if content is None or name.startswith("/") or ".." in name.split("/"):
            faults.append(f"{name} is no regular file inside the box")
            continue
        if name in texts or name in disks:
            faults.append(f"{name} is in it twice")
            continue
        if len(texts) + len(disks) >= _MEMBERS_MAX:
            raise InputError("has more members than any box")
        suffix = PurePosixPath(name).suffix
        if suffix in _DRIVERS:
            copy = folder / f"disk-{len(disks)}{'.qcow2' if suffix == '.img' else suffix}"
            if not disks:
                written(cast("BinaryIO", content), copy)
            disks[name] = copy
        else:
            texts[name] = content.read(_TEXT_BYTES_MAX).decode(errors="replace")
    faults += archive.faults
    return texts, disks


def _metadata(texts: dict[str, str], faults: list[str]) -> dict[str, Any]:
    if "metadata.json" not in texts:
        faults.append("has no metadata.json")
        return {}
    about = parse_json("metadata.json", texts["metadata.json"])
    if not isinstance(about, dict):
        faults.append("metadata.json is no object")
        return {}
    return about


def _opened(disk: Path, driver: block.Driver, raw: Path, faults: list[str]) -> int:
    """Make the raw disk; return its size. What names other files is not opened."""
    if driver == "qcow2":
        facts = inspect(disk)
        if facts.format != "qcow2" or not facts.self_contained:
            raise InputError("has a disk that names other files, so it is not opened")
        if (packing := features(disk).compression) != "zlib":
            faults.append(f"the disk is packed by {packing}, which QEMU before 5.1 does not read")
    elif driver == "vmdk":
        with disk.open("rb") as inner:
            need_one_file(inner)
    convert(disk, driver, raw)
    disk.unlink()
    return raw.stat().st_size


def _libvirt(about: dict[str, Any], name: str, size_bytes: int) -> list[str]:
    """vagrant-libvirt: box.img, its format, and its size in whole GB."""
    faults = [] if name == "box.img" else [f"the disk is called {name}, not box.img"]
    if about.get("format") != "qcow2":
        faults.append("metadata.json does not say that the format is qcow2")
    size = about.get("virtual_size")
    if not isinstance(size, int) or isinstance(size, bool) or size << 30 < size_bytes:
        faults.append(f"metadata.json tells of {str(size)[:40]} GB, "
                      f"the disk has {size_bytes} bytes")
    return faults
