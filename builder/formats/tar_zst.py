"""tar-zst: the root tree, packed and unpacked many times faster than tar.xz."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import TREE, About
from builder.formats.archives import tar_tree
from builder.formats.streams.compressors import ZSTD
from host.progress import Progress

name = "tar-zst"
title = "root tree as tar.zst: podman import, machinectl, chroots; unpacked fastest"
source = TREE
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the tree, with everything that tar can keep but SELinux labels."""
    tar_tree.write_file(
        source, folder / "tar.zst", ZSTD, about.epoch, progress=progress, step=name,
    )


def identity() -> dict[str, str]:
    """Return the options and the versions of tar and zstd."""
    return tar_tree.identity(ZSTD)
