"""raw: the disk as it is, byte for byte, with holes for what is empty."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import DISK, About
from host.files import link_or_copy
from host.progress import Progress

name = "raw"
title = "the disk, byte for byte, with holes: whatever reads a disk"
source = DISK
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Give the disk a second name; only on another file system is it copied, holes kept."""
    link_or_copy(source, folder / "raw")


def identity() -> dict[str, str]:
    """Return nothing: there is nothing that could differ."""
    return {}
