"""Names of disks and partitions in a kickstart: an image has one disk, whatever it is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch

from builder.disk.model import DiskTable
from host.errors import InputError

# What the first disk is called on the machines that kickstarts are written for: virtio, SATA and
# SCSI, Xen, IDE, NVMe, eMMC.
_NAMES = ("vda", "sda", "xvda", "hda", "nvme0n1", "mmcblk0")
_BY = re.compile(r"disk/by-(?:path|id|diskseq)/(?P<name>[^/]+?)(?:-part(?P<number>\d+))?")
_PARTITION = re.compile(rf"(?:{'|'.join(_NAMES)})p?(?P<number>\d+)")


def is_the_disk(name: str) -> bool:
    """Say whether a name, or a pattern of names such as `[sv]da`, is that of the image's disk."""
    plain = name.removeprefix("/dev/")
    found = _BY.fullmatch(plain)
    return bool(found and not found["number"]) or any(fnmatch(own, plain) for own in _NAMES)


def check_disks(option: str, names: Iterable[str], where: str) -> None:
    """Raise InputError unless every name is that of the image's one disk."""
    for name in names:
        if not is_the_disk(name):
            raise InputError(
                f"{option}: there is no disk {name!r}", where=where,
                why="an image has one disk", remedy="call it vda, or leave the option out",
            )


def partition_number(name: str, existing: DiskTable | None, where: str) -> int:
    """Return the number of the partition that --onpart names: vda3, nvme0n1p3, by-partlabel.

    Raises InputError for a name that cannot be one of the image's disk.
    """
    plain = name.removeprefix("/dev/")
    found = _PARTITION.fullmatch(plain) or _BY.fullmatch(plain)
    if found and found["number"]:
        return int(found["number"])
    label = plain.removeprefix("disk/by-partlabel/").removeprefix("PARTLABEL=")
    if label != plain and existing:
        for part in existing.partitions:
            if part.part_name == label:
                return part.number
    raise InputError(
        f"--onpart: there is no partition {name!r}", where=where,
        why="file systems that %pre makes are made anew, so their labels and UUIDs name nothing"
        if plain.startswith(("LABEL=", "UUID=")) else "an image has one disk",
        remedy="name the partition by its number, as in --onpart=vda3",
    )
