"""qcow2: compressed with zstd, for QEMU and all that build on it."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.tools import qemu_img
from host.progress import Progress

name = "qcow2"
title = "qcow2 compressed with zstd: QEMU 5.1 and later, OpenStack, oVirt, KVM"
source = DISK
uses = ()

# QEMU reads zstd since 5.1 (2020), every CentOS since 8.4; zlib takes six times as long.
_OPTIONS = "compression_type=zstd"


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Compress the disk; holes and zeroes take no room."""
    qemu_img.convert(source, folder / "qcow2", "qcow2", _OPTIONS, flags=["-c"])


def identity() -> dict[str, str]:
    """Return the options and the version of qemu-img."""
    return {"options": _OPTIONS, "tool": qemu_img.version()}
