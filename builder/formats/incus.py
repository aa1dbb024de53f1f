"""incus: a split container image for Incus and LXD, metadata and a squashfs root."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import NAMING, TREE, About
from builder.formats.archives import members, squashfs, tar_tree
from builder.formats.containers import incus_files
from host.progress import Progress

name = "incus"
title = "Incus or LXD container, split: incus.tar.xz and squashfs (incus image import A B)"
source = TREE
uses = NAMING


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write the metadata and the root."""
    metadata = members.archive_xz(incus_files.of_tree(about, "squashfs", source), about.epoch)
    (folder / "incus.tar.xz").write_bytes(metadata)
    squashfs.make(
        source, folder / "squashfs", about.epoch,
        exclude=[f"{path}/*" for path in tar_tree.ALWAYS_EMPTY], keep_selinux=False,
    )


def identity() -> dict[str, str]:
    """Return the options and the version of mksquashfs."""
    return {**squashfs.identity(), "left empty": " ".join(tar_tree.ALWAYS_EMPTY)}
