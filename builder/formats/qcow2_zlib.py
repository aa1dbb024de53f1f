"""qcow2-zlib: compressed with zlib, for consumers that do not read zstd."""

from __future__ import annotations

import zlib
from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files import qcow2_file
from host.progress import Progress

name = "qcow2-zlib"
title = "qcow2 compressed with zlib: QEMU before 5.1, CloudStack, Vagrant, old OpenStack"
source = DISK
uses = ()

_LEVEL = 6
# QEMU unpacks with a window of 4 KiB and no header (block/qcow2-threads.c).
_WINDOW_BITS = -12


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Compress the disk; holes and zeroes take no room."""
    qcow2_file.write(source, folder / "zlib.qcow2", qcow2_file.ZLIB, _compress, progress, name)


def _compress(cluster: bytearray) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS)
    return deflate.compress(cluster) + deflate.flush()


def identity() -> dict[str, str]:
    """Return the compressor's version and its level."""
    return {"zlib": zlib.ZLIB_RUNTIME_VERSION, "level": str(_LEVEL)}
