"""wsl: a distribution for the Windows Subsystem for Linux, installed by a double click."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import TREE, About
from builder.formats.archives import members, tar_tree
from builder.formats.containers import wsl_files
from builder.formats.streams.compressors import GZIP
from host.progress import Progress

name = "wsl"
title = "distribution for the Windows Subsystem for Linux (WSL 2.4.4 and later)"
source = TREE
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the tree with WSL's settings, without kernel; gzip is what every WSL can read."""
    head = members.members(wsl_files.files(source, about), about.epoch)
    tar_tree.write_file(
        source, folder / "wsl", GZIP, about.epoch, head=head, leave_empty=tar_tree.KERNEL,
        leave_out=wsl_files.LEAVE_OUT, progress=progress, step=name,
    )


def identity() -> dict[str, str]:
    """Return the options and the versions of tar and pigz; WSL's settings are our code's."""
    left = " ".join((*tar_tree.KERNEL, *wsl_files.LEAVE_OUT))
    return {**tar_tree.identity(GZIP), "left empty or out": left}
