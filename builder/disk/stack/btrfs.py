"""btrfs over one or more devices. Ids of subvolumes and devices are random, the rest is told."""

from __future__ import annotations

from builder.disk.inside import Inside
from builder.disk.model import BtrfsVolume

title = "btrfs subvolumes"
programs = {"mkfs.btrfs": "btrfs-progs", "btrfs": "btrfs-progs"}

_TOP = "/run/ccis-btrfs"


def modules(item: BtrfsVolume) -> tuple[str, ...]:
    """Return the kernel modules that it needs."""
    return ("btrfs",)


def devices(item: BtrfsVolume) -> tuple[str, ...]:
    """Return the devices it makes: none, its subvolumes are mounted from those below."""
    return ()


def make(inside: Inside, item: BtrfsVolume, *, zeroed: bool, epoch: int) -> None:
    """Make the file system and its subvolumes; one may be inside another, as in `root/var`."""
    below = [inside.device(device) for device in item.devices]
    inside.run([
        "mkfs.btrfs", "-q", "-f", "-K", "-U", item.uuid,
        *(["-L", item.label] if item.label else []), *(["-d", item.data] if item.data else []),
        *(["-m", item.metadata] if item.metadata else []), *item.mkfs_options, *below,
    ])
    inside.run(["btrfs", "device", "scan", *below])
    inside.run(["mkdir", "-p", _TOP])
    inside.run(["mount", "-t", "btrfs", "-o", "noatime,subvolid=5", below[0], _TOP])
    for subvolume in sorted(item.subvolumes, key=lambda path: path.count("/")):
        path = f"{_TOP}/{subvolume}"
        if "/" in subvolume:
            inside.run(["mkdir", "-p", path.rpartition("/")[0]])
        inside.run(["btrfs", "subvolume", "create", path])
    inside.run(["umount", _TOP])


def stop(inside: Inside, item: BtrfsVolume) -> None:
    """Do nothing: with its last mount a btrfs is at rest."""
