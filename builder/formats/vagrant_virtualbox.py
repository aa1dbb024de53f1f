"""vagrant-virtualbox: a Vagrant box for VirtualBox."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import About
from builder.formats.machines import ovf, vagrant
from builder.formats.machines.machine import require_x86_64
from host.progress import Progress

name = "vagrant-virtualbox"
title = "Vagrant box for VirtualBox: OVF and a stream-optimised VMDK"
source = "vmdk"
uses = ("title", "flavour")

_DISK = "box-disk001.vmdk"


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the disk with box.ovf, which Vagrant imports; a plain tar, the disk is compressed.

    Raises InputError for an image that is not for x86_64.
    """
    require_x86_64(about, name)
    disk = source / "vmdk"
    vagrant.write_box(
        folder / "vagrant-virtualbox.box", "virtualbox",
        {
            "Vagrantfile": vagrant.RSYNC_VAGRANTFILE,
            "box.ovf": ovf.envelope(about, ovf.VIRTUALBOX, _DISK, disk.stat().st_size),
        },
        (_DISK, disk), about, progress, name, compress=False,
    )


def identity() -> dict[str, str]:
    """Return the hardware that is described."""
    return {"hardware": ovf.VIRTUALBOX.family}
