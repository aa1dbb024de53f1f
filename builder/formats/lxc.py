"""lxc: metadata and root, as LXC's templates `download` and `local` take them."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import NAMING, About
from builder.formats.archives import members
from builder.formats.containers import lxc_files
from host.files import link_or_copy
from host.progress import Progress

name = "lxc"
title = "LXC image: metadata and root for lxc-create -t local, or for an image server"
source = "tar-xz"
uses = NAMING


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write the metadata; the root is the tar.xz that is there already, under another name."""
    metadata = members.archive_xz(lxc_files.metadata(about), about.epoch)
    (folder / "lxc.meta.tar.xz").write_bytes(metadata)
    link_or_copy(source / "tar.xz", folder / "lxc.rootfs.tar.xz")


def identity() -> dict[str, str]:
    """Return nothing: no tool and no option takes part."""
    return {}
