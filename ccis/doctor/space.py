"""Room on disks and in memory."""

from __future__ import annotations

import os
from pathlib import Path

from ccis.doctor.registry import Host, LackError, check

GIB = 1 << 30
STORE_BYTES = 8 * GIB
"""Packages, two root trees, a disk with 2 GB in it and its artefacts, and as much again."""

OUT_BYTES = 4 * GIB
MEMORY_BYTES = 2 * GIB
INODES = 300_000
"""A root tree has some 30,000 files; the store keeps several."""

_REMEDY = "free some space there, or point {} at another disk"


def _existing(path: Path) -> Path:
    """Return the folder itself, or the nearest one above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _room(path: Path, wanted_bytes: int, wanted_inodes: int) -> str:
    there = os.statvfs(_existing(path))
    free_bytes = there.f_bavail * there.f_frsize
    if free_bytes < wanted_bytes:
        raise LackError(f"{path} has {free_bytes / GIB:.1f} GiB free, a build wants "
                        f"{wanted_bytes / GIB:.0f} GiB")
    # btrfs has no fixed number of inodes and says 0.
    if there.f_files and there.f_favail < wanted_inodes:
        raise LackError(f"{path} has {there.f_favail} inodes free, a build wants {wanted_inodes}")
    return f"{free_bytes / GIB:.0f} GiB free in {path}"


@check("space in the store", needed_for="every build", remedy=_REMEDY.format("CCIS_STORE"))
def store(host: Host) -> str:
    """Look at the disk of the store."""
    return _room(host.store, STORE_BYTES, INODES)


@check("space for results", needed_for="every build", remedy=_REMEDY.format("--out"))
def out(host: Host) -> str:
    """Look at the disk of the results."""
    return _room(host.out, OUT_BYTES, 1000)


@check("memory", needed_for="every build", remedy="end something else, or add memory or swap")
def memory(_: Host) -> str:
    """Look at what the kernel would give out now."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free_bytes = (int(fields["MemAvailable"].split()[0])
                  + int(fields["SwapFree"].split()[0])) * 1024
    if free_bytes < MEMORY_BYTES:
        raise LackError(f"{free_bytes / GIB:.1f} GiB available, a build wants "
                        f"{MEMORY_BYTES / GIB:.0f} GiB")
    return f"{free_bytes / GIB:.1f} GiB available"
