"""A disk in another format or container, made raw beside it, so that one reader reads them all.

raw.xz, raw.zst, raw.gz and Google's tar are unpacked here as streams, zeros as holes; VHD, VHDX,
VDI and VMDK are converted by qemu-img, whose driver is named and which gets no file but this one;
an OVA is its VMDK, a Vagrant box the disk of its provider, a Eucalyptus bundle its parts decrypted.
What is wrong with a container comes along as faults (rule artefact.container).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from host import block
from host.errors import InputError, from_os_error
from host.scratch import scratch_folder
from images.record import BuildRecord
from validate import tars
from validate.boxes import read_box
from validate.bundles import read_bundle
from validate.layers import members_of
from validate.raw_disks import convert, need_one_file, written
from validate.streams import Budget, unpacked
from validate.trees import BUNDLE_SUFFIX

_PIECE_BYTES = 1 << 20
_SECTOR_BYTES = 512
_FAULTS_MAX = 200
_BY_FORMAT = {
    "raw-xz": "stream", "raw-zst": "stream", "raw-gz": "stream", "gce": "gce", "vhd": "vpc",
    "vhd-dynamic": "vpc", "vhdx": "vhdx", "vdi": "vdi", "vmdk": "vmdk", "vmdk-sparse": "vmdk",
    "ova": "ova", "eucalyptus": "bundle", "vagrant-libvirt": "libvirt",
    "vagrant-virtualbox": "virtualbox", "vagrant-vmware": "vmware_desktop",
    "vagrant-hyperv": "hyperv"}
_BY_SUFFIX = {
    ".raw.xz": "stream", ".raw.zst": "stream", ".raw.gz": "stream", ".vhd": "vpc",
    ".vhdx": "vhdx", ".vdi": "vdi", ".vmdk": "vmdk", ".ova": "ova",
    ".box": "box", BUNDLE_SUFFIX: "bundle"}


@dataclass(frozen=True)
class Unpacked:
    """The raw disk in a scratch folder, and what is wrong with what it came in."""

    raw: Path
    faults: tuple[str, ...]


def kind_of(path: Path, record: BuildRecord | None) -> str | None:
    """Return how a file holds a disk, by build.json or its name; None: some other way."""
    made = next((one.format for one in (record.artefacts if record else [])
                 if one.file == path.name), None)
    if made is not None:
        return _BY_FORMAT.get(made)
    return next((kind for suffix, kind in _BY_SUFFIX.items() if path.name.endswith(suffix)), None)


@contextmanager
def as_raw(path: Path, kind: str) -> Iterator[Unpacked]:
    """Yield the disk in a file as a raw one of ours; the file itself is read once and left.

    Raises InputError for what is no such container, is cut off, or beyond bounds.
    """
    with scratch_folder("packed") as folder:
        raw = folder / "disk.raw"
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC),
                           "rb") as stream:
                faults = _READERS[kind](path, stream, raw)
        except tars.BROKEN as error:
            raise InputError("is cut off or broken", where=str(path), why=str(error)[:200]) \
                from error
        except OSError as error:
            raise from_os_error(error, f"reading {path}") from error
        except InputError as error:
            error.where = error.where or str(path)
            raise
        yield Unpacked(raw, tuple(faults))


def _stream(path: Path, stream: BinaryIO, raw: Path) -> list[str]:
    size = written(unpacked(stream), raw)
    return [] if size and size % _SECTOR_BYTES == 0 else [f"unpacks to {size} bytes"]


def _gce(path: Path, stream: BinaryIO, raw: Path) -> list[str]:
    """Compute Engine's importer: gzip, old GNU format, one member disk.raw."""
    faults: list[str] = []
    found = in_pax = False
    if stream.read(2) != b"\x1f\x8b":
        faults.append("is not packed by gzip")
    stream.seek(0)
    budget = Budget()
    archive = tars.Archive(unpacked(stream, budget), budget)
    for member in archive:
        inside = archive.content(member)
        if member.name == "disk.raw" and inside is not None and not found:
            found = True
            written(cast("BinaryIO", inside), raw)
        elif len(faults) < _FAULTS_MAX:
            faults.append(f"has a member {member.name}")
        if member.pax_headers and not in_pax:
            in_pax = True
            faults.append("is in pax format, not in GNU's")
    faults += archive.faults
    if not found:
        raise InputError("has no disk.raw")
    return faults


def _converted(driver: block.Driver) -> Callable[[Path, BinaryIO, Path], list[str]]:
    def read(path: Path, stream: BinaryIO, raw: Path) -> list[str]:
        faults = _vhd_faults(stream) if driver == "vpc" else []
        if driver == "vmdk":
            need_one_file(stream)
        convert(path, driver, raw)
        return faults
    return read


def _vhd_faults(stream: BinaryIO) -> list[str]:
    """Check the footer (Virtual Hard Disk Image Format Specification 1.0)."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - _SECTOR_BYTES, 0))
    footer = stream.read(_SECTOR_BYTES)
    if footer[:8] != b"conectix":
        return ["has no footer of a VHD"]
    faults = []
    told = int.from_bytes(footer[64:68], "big")
    real = ~sum(footer[:64] + bytes(4) + footer[68:]) & 0xFFFFFFFF
    if told != real:
        faults.append("the footer's checksum is wrong")
    kind = int.from_bytes(footer[60:64], "big")
    current = int.from_bytes(footer[48:56], "big")
    if kind == 2 and current != size - _SECTOR_BYTES:
        faults.append(f"the footer tells of {current} bytes, the file holds {size - 512}")
    if kind == 4:
        faults.append("is the difference to another disk")
    return faults


def _ova(path: Path, stream: BinaryIO, raw: Path) -> list[str]:
    """DSP0243: the descriptor first, then the manifest, then the disks that it references."""
    faults: list[str] = []
    members = members_of(stream, faults)
    names = list(members)
    disks = [name for name in names if name.endswith(".vmdk")]
    if not names or not disks:
        raise InputError("holds no VMDK")
    if not names[0].endswith(".ovf"):
        faults.append("the first member is no descriptor")
    if len(disks) > 1:
        faults.append(f"has {len(disks)} disks, and the first alone was looked at")
    faults += [f"{name} is a name with folders" for name in names if "/" in name]
    manifest = next((name for name in names if name.endswith(".mf")), None)
    if manifest is None:
        faults.append("has no manifest")
    else:
        told = members[manifest].read(1 << 20).decode(errors="replace")
        for name in names:
            if name == manifest or name.endswith(".cert"):
                continue
            digest = hashlib.sha256()
            members[name].seek(0)
            while piece := members[name].read(_PIECE_BYTES):
                digest.update(piece)
            if f"SHA256({name})= {digest.hexdigest()}" not in told:
                faults.append(f"the manifest has another digest of {name}")
    disk = raw.with_name("disk.vmdk")
    members[disks[0]].seek(0)
    written(cast("BinaryIO", members[disks[0]]), disk)
    with disk.open("rb") as inner:
        need_one_file(inner)
    convert(disk, "vmdk", raw)
    disk.unlink()
    return faults


_READERS: dict[str, Callable[[Path, BinaryIO, Path], list[str]]] = {
    "stream": _stream, "gce": _gce, "ova": _ova,
    "bundle": read_bundle, "box": partial(read_box, None),
    **{name: partial(read_box, name)
       for name in ("libvirt", "virtualbox", "vmware_desktop", "hyperv")},
    **{driver: _converted(driver) for driver in ("vpc", "vhdx", "vdi", "vmdk")}}
