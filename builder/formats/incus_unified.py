"""incus-unified: a container image for Incus and LXD in one file."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import NAMING, TREE, About
from builder.formats.archives import members, tar_tree
from builder.formats.containers import incus_files
from builder.formats.streams.compressors import XZ
from host.progress import Progress

name = "incus-unified"
title = "Incus or LXD container in one file: metadata.yaml, templates and rootfs"
source = TREE
uses = NAMING


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write metadata and templates first, so that a reader need not unpack the root for them."""
    head = members.members(incus_files.of_tree(about, "tar.xz", source), about.epoch)
    tar_tree.write_file(
        source, folder / "incus-unified.tar.xz", XZ, about.epoch, head=head, below="rootfs",
        progress=progress, step=name,
    )


def identity() -> dict[str, str]:
    """Return the options and the versions of tar and xz."""
    return tar_tree.identity(XZ)
