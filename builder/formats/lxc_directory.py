"""lxc-directory: a container as it lies below /var/lib/lxc, in a plain tar.

A folder is no file that can be served, so it travels in an archive without compression: made and
unpacked at the speed of a copy, `tar -C /var/lib/lxc --xattrs --xattrs-include='*' -xpf …lxc.tar`.
"""

from __future__ import annotations

from pathlib import Path

from builder.artefact import NAMING, TREE, About
from builder.formats.archives import members, tar_tree
from builder.formats.containers import lxc_files
from host.progress import Progress

name = "lxc-directory"
title = "LXC container, configuration and root, to be unpacked below /var/lib/lxc"
source = TREE
uses = NAMING


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write the container's folder, named after the image: NAME/config and NAME/rootfs."""
    head = members.members(
        {f"{about.slug}/": "", f"{about.slug}/config": lxc_files.own_config(about, about.slug)},
        about.epoch,
    )
    tar_tree.write_file(
        source, folder / "lxc.tar", None, about.epoch, head=head, below=f"{about.slug}/rootfs",
        progress=progress, step=name,
    )


def identity() -> dict[str, str]:
    """Return the options and the version of tar."""
    return tar_tree.identity(None)
