"""ova: an appliance in one file, for VMware and VirtualBox."""

from __future__ import annotations

import hashlib
from pathlib import Path

from builder.artefact import About
from builder.formats.archives import archive
from builder.formats.machines import ovf
from builder.formats.machines.machine import require_x86_64
from host.progress import Progress

name = "ova"
title = "OVF 1.1 and a stream-optimised VMDK in one tar: VMware, VirtualBox, CloudStack on VMware"
source = "vmdk"
uses = ("title", "flavour")


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the VMDK with its description and their SHA-256 sums.

    DSP0243 wants the envelope first, then the manifest, then the disk. So the manifest's place is
    left open until the disk, which is read once only, has gone by.
    Raises InputError for an image that is not for x86_64.
    """
    require_x86_64(about, name)
    disk = source / "vmdk"
    disk_name = f"{about.slug}-disk1.vmdk"
    envelope = ovf.envelope(about, ovf.VMWARE, disk_name, disk.stat().st_size).encode()
    envelope_name = f"{about.slug}.ovf"
    sums = {envelope_name: hashlib.sha256(envelope).hexdigest(), disk_name: "0" * 64}
    digest = hashlib.sha256()
    whole = archive.tar(
        archive.member(envelope_name, envelope, about.epoch),
        archive.member(f"{about.slug}.mf", _manifest(sums), about.epoch),
        archive.member(disk_name, disk, about.epoch, digest),
    )
    destination = folder / "ova"
    archive.write(destination, archive.watched(whole, disk.stat().st_size, progress, name))
    with destination.open("r+b") as stream:
        stream.seek(archive.padded_bytes(len(envelope)) + archive.padded_bytes(0))
        stream.write(_manifest({**sums, disk_name: digest.hexdigest()}))


def identity() -> dict[str, str]:
    """Return the hardware that is described."""
    return {"hardware": ovf.VMWARE.family}


def _manifest(sums: dict[str, str]) -> bytes:
    return "".join(f"SHA256({name})= {value}\n" for name, value in sums.items()).encode()
