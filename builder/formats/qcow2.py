"""qcow2: compressed with zstd, for QEMU and all that build on it."""

from __future__ import annotations

from pathlib import Path

import zstandard

from builder.artefact import DISK, About
from builder.formats.disk_files import qcow2_file
from host.progress import Progress

name = "qcow2"
title = "qcow2 compressed with zstd: QEMU 5.1 and later, OpenStack, oVirt, KVM"
source = DISK
uses = ()

# QEMU reads zstd since 5.1 (2020), every CentOS since 8.4; zlib takes six times as long.
_LEVEL = 3


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Compress the disk; holes and zeroes take no room."""
    qcow2_file.write(source, folder / "qcow2", qcow2_file.ZSTD, _compress, progress, name)


def _compress(cluster: bytearray) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(cluster)


def identity() -> dict[str, str]:
    """Return the compressor's version and its level."""
    return {"zstd": ".".join(map(str, zstandard.ZSTD_VERSION)), "level": str(_LEVEL)}
