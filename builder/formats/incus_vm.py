"""incus-vm: a split virtual-machine image for Incus and LXD, metadata beside the qcow2."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import NAMING, About
from builder.formats.archives import members
from builder.formats.containers import incus_files
from host.files import link_or_copy
from host.progress import Progress

name = "incus-vm"
title = "Incus or LXD virtual machine: incus-vm.tar.xz and incus.qcow2 (incus image import A B)"
source = "qcow2"
uses = NAMING


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write the metadata; the disk is the qcow2 that is there already, under another name."""
    metadata = members.archive_xz(incus_files.of_machine(about), about.epoch)
    (folder / "incus-vm.tar.xz").write_bytes(metadata)
    link_or_copy(source / "qcow2", folder / "incus.qcow2")


def identity() -> dict[str, str]:
    """Return nothing: no tool and no option takes part."""
    return {}
