"""vagrant-libvirt: a Vagrant box for libvirt, that is KVM."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import About
from builder.formats.machines import vagrant
from host.progress import Progress

name = "vagrant-libvirt"
title = "Vagrant box for libvirt (KVM), with a qcow2 that QEMU reads since 2012"
# A box cannot say which QEMU it needs, and desktops have all kinds: QEMU before 5.1 does not start
# from a qcow2 with zstd. The one with zlib is made for others anyway.
source = "qcow2-zlib"
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the disk; a plain tar, since the disk is compressed.

    virtual_size is in GB and rounded up: the plugin makes the machine's disk as large as that, and
    a smaller one would cut the last partition (vagrant-libvirt, docs on the box format).
    """
    size_gb = -(-about.disk_size_bytes // (1 << 30))
    vagrant.write_box(
        folder / "vagrant-libvirt.box", "libvirt", {"Vagrantfile": vagrant.RSYNC_VAGRANTFILE},
        ("box.img", source / "zlib.qcow2"), about, progress, name,
        metadata={"format": "qcow2", "virtual_size": size_gb}, compress=False,
    )


def identity() -> dict[str, str]:
    """Return nothing: the disk has an identity of its own."""
    return {}
