"""vagrant-vmware: a Vagrant box for VMware Workstation and Fusion."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import About
from builder.formats.machines import vagrant
from builder.formats.machines.machine import CPUS, MEMORY_MIB, require_x86_64
from builder.formats.streams import gzip_member
from host.progress import Progress

name = "vagrant-vmware"
title = "Vagrant box for VMware Workstation and Fusion (vmware_desktop): vmx and growing VMDK"
# Workstation and Fusion run a machine from this disk as it is; a stream-optimised one is for
# transport only and would have to be converted first.
source = "vmdk-sparse"
uses = ("title", "flavour")

_DISK = "disk.vmdk"


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the disk with box.vmx; gzipped, the disk is not compressed.

    Raises InputError for an image that is not for x86_64.
    """
    require_x86_64(about, name)
    vagrant.write_box(
        folder / "vagrant-vmware.box", "vmware_desktop",
        {"Vagrantfile": vagrant.RSYNC_VAGRANTFILE, "box.vmx": _vmx(about)},
        (_DISK, source / "sparse.vmdk"), about, progress, name, compress=True,
    )


def identity() -> dict[str, str]:
    """Return how it is compressed."""
    return gzip_member.identity(gzip_member.FAST_LEVEL)


def _vmx(about: About) -> str:
    """Return the machine's configuration.

    Only VMware reads it, so the disk and the network are the paravirtual ones; these are PCI
    Express devices and need the bridges. Adapters without an address get one when they are cloned.
    """
    bridges = {
        f"pciBridge{slot}.{key}": value
        for slot in range(4, 8)
        for key, value in (("present", "TRUE"), ("virtualDev", "pcieRootPort"), ("functions", "8"))
    }
    settings = {
        ".encoding": "UTF-8",
        "config.version": "8",
        "virtualHW.version": "13",  # Workstation 12.5 and Fusion 8.5, and all newer ones
        "displayName": about.slug,
        "annotation": about.title,
        "guestOS": "centos7-64",  # the newest CentOS that version 13 knows
        "firmware": "bios",
        "numvcpus": str(CPUS),
        "memsize": str(MEMORY_MIB),
        "pciBridge0.present": "TRUE",
        **bridges,
        "vmci0.present": "TRUE",
        "hpet0.present": "TRUE",
        "scsi0.present": "TRUE",
        "scsi0.virtualDev": "pvscsi",
        "scsi0:0.present": "TRUE",
        "scsi0:0.fileName": _DISK,
        "ethernet0.present": "TRUE",
        "ethernet0.connectionType": "nat",
        "ethernet0.virtualDev": "vmxnet3",
        "ethernet0.addressType": "generated",
        "floppy0.present": "FALSE",
        "uuid.action": "create",
        "tools.syncTime": "FALSE",
    }
    return "".join(f'{key} = "{_quoted(value)}"\n' for key, value in settings.items())


def _quoted(value: str) -> str:
    """Return a value as VMware writes it: a bar and a number for what would end it."""
    return "".join(f"|{ord(each):02X}" if each in '"|#\n' else each for each in value)
