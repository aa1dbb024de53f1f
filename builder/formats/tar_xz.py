"""tar-xz: the root tree, as cloud.centos.org serves it for containers."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import TREE, About
from builder.formats.archives import tar_tree
from builder.formats.streams.compressors import XZ
from host.progress import Progress

name = "tar-xz"
title = "root tree as tar.xz: docker import, LXC, machinectl, chroots"
source = TREE
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the tree, with everything that tar can keep but SELinux labels."""
    tar_tree.write_file(
        source, folder / "tar.xz", XZ, about.epoch, progress=progress, step=name,
    )


def identity() -> dict[str, str]:
    """Return the options and the versions of tar and xz."""
    return tar_tree.identity(XZ)
