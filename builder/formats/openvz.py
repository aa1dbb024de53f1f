"""openvz: an OS template, the root tree without what boots a machine."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import TREE, About
from builder.formats.archives import tar_tree
from builder.formats.streams.compressors import GZIP
from host.progress import Progress

name = "openvz"
title = "OpenVZ OS template (/vz/template/cache): no kernel, no boot loader"
source = TREE
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the tree; a container runs on the host's kernel, so none comes along."""
    tar_tree.write_file(
        source, folder / "openvz.tar.gz", GZIP, about.epoch, leave_empty=tar_tree.KERNEL,
        progress=progress, step=name,
    )


def identity() -> dict[str, str]:
    """Return the options and the versions of tar and pigz."""
    return {**tar_tree.identity(GZIP), "left empty": " ".join(tar_tree.KERNEL)}
