"""btrfs over one or more devices. Ids of subvolumes and devices are random, the rest is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from builder.disk.parts import Disk, FileSystem
from builder.disk.requests import FormatRequest, Request
from builder.disk.volume import File, Item, Member, Opener, Program, Stacking
from host.errors import InputError

if TYPE_CHECKING:
    from builder.disk.inside import Inside

name, rank = "btrfs", 4
label, title = "btrfs", "btrfs subvolumes"
# btrfs-progs refuses less than about 110 MiB.
member = Member("btrfsmember", prefix="btrfs", minimum_mib=114, signature="btrfs", has_id=True)
programs = (Program("mkfs.btrfs", "btrfs-progs", "btrfs-progs"),
            Program("btrfs", "btrfs-progs", "btrfs-progs"))
opener = Opener("btrfs", "btrfs-progs", "btrfs")
encrypts = False
read_by_grub = "btrfs"

_FEWEST = {"raid0": 1, "raid1": 2, "raid10": 2, "single": 1}
_TOP = "/run/ccis-btrfs"


class BtrfsRequest(Request):
    """One `btrfs` line that makes a volume; mountpoint: that of its top level, or `none`.

    fstab_options: --fsoptions of the `part` lines of its members, which hold for all of it
    (blivet/devices/btrfs.py, BTRFSVolumeDevice._set_format).
    """

    mountpoint: str
    members: tuple[str, ...]
    label: str | None = None
    data: str | None = None
    metadata: str | None = None
    mkfs_options: tuple[str, ...] = ()
    fstab_options: str | None = None
    where: str

    @property
    def names(self) -> set[str]:
        """What a subvolume may call it: the label, with or without LABEL=, or a member."""
        label = {self.label, f"LABEL={self.label}"} if self.label else set()
        return {name for name in (*label, *self.members) if name}


class SubvolumeRequest(Request):
    """One `btrfs --subvol` line; parent: the volume's label or one of its members."""

    mountpoint: str
    name: str
    parent: str
    where: str


class BtrfsVolume(Item):
    """A btrfs over `devices` with its subvolumes; what is mounted of it is in Layout.volumes."""

    kind: Literal["btrfs"] = "btrfs"
    devices: tuple[str, ...]
    uuid: str
    label: str | None = None
    data: str | None = None
    metadata: str | None = None
    subvolumes: tuple[str, ...] = ()
    mkfs_options: tuple[str, ...] = ()


model, requests = BtrfsVolume, (BtrfsRequest, SubvolumeRequest)


def plan(wishes: Sequence[BtrfsRequest | SubvolumeRequest], stacking: Stacking) -> None:
    """Add the volumes, and what is mounted of them."""
    tops = [wish for wish in wishes if isinstance(wish, BtrfsRequest)]
    inner = [wish for wish in wishes if isinstance(wish, SubvolumeRequest)]
    for top in tops:
        _plan(top, [wish for wish in inner if wish.parent in top.names], stacking)
    for wish in inner:
        if not any(wish.parent in top.names for top in tops):
            raise InputError(f"there is no btrfs volume {wish.parent}", where=wish.where,
                             remedy="name the label, as in: btrfs … --subvol --name=x LABEL=y")


def _plan(wish: BtrfsRequest, inside: Sequence[SubvolumeRequest], stacking: Stacking) -> None:
    found = stacking.members(wish.members, member, "the btrfs volume", wish.where)
    for level in (wish.data, wish.metadata):
        if level and len(found) < _FEWEST[level]:
            raise InputError(f"btrfs: {level} needs {_FEWEST[level]} devices",
                             where=wish.where, why=f"there are {len(found)}")
    size_bytes, first = sum(size for _, size in found), found[0][0]
    top = FormatRequest(mountpoint=wish.mountpoint, fstype="btrfs", label=wish.label,
                        mkfs_options=wish.mkfs_options, fstab_options=wish.fstab_options,
                        where=wish.where)
    shown = stacking.mount(top, "btrfs", first, size_bytes, first)
    assert shown.fs_uuid is not None  # every btrfs has one
    volume = BtrfsVolume(
        devices=tuple(device for device, _ in found), uuid=shown.fs_uuid, label=wish.label,
        data=wish.data, metadata=wish.metadata, mkfs_options=shown.mkfs_options,
        subvolumes=tuple(dict.fromkeys(sub.name for sub in inside)), where=wish.where,
    )
    # Which subvolume is no matter of the members (BTRFSSubVolumeDevice._set_mountopts).
    inherited = [option for option in (wish.fstab_options or "").split(",")
                 if option and not option.startswith("subvol")]
    for sub in inside:
        request = FormatRequest(mountpoint=sub.mountpoint, fstype="btrfs", label=wish.label,
                                fstab_options=",".join([f"subvol={sub.name}", *inherited]),
                                uuid=volume.uuid, where=sub.where)
        stacking.mount(request, "btrfs", first, size_bytes, sub.name, subvolume=sub.name)
    stacking.items.append(volume)


def carriers(
    wishes: Sequence[BtrfsRequest | SubvolumeRequest], points: frozenset[str],
) -> set[str]:
    """Return the members of volumes that are mounted, or whose subvolumes are, at some points."""
    parents = {wish.parent for wish in wishes
               if isinstance(wish, SubvolumeRequest) and wish.mountpoint in points}
    return {name for wish in wishes if isinstance(wish, BtrfsRequest)
            and (wish.mountpoint in points or parents & wish.names) for name in wish.members}


def stands_on(item: BtrfsVolume) -> tuple[str, ...]:
    """Return its devices."""
    return item.devices


def devices(item: BtrfsVolume) -> tuple[str, ...]:
    """Return the devices it makes: none, its subvolumes are mounted from those below."""
    return ()


def is_content(item: BtrfsVolume, place: FileSystem) -> bool:
    """Say whether a file system is this one or a subvolume of it, which have one UUID."""
    return place.fstype == "btrfs" and place.fs_uuid == item.uuid


def kernel_arguments(item: BtrfsVolume, device: str) -> list[str]:
    """Return none: its UUID finds it."""
    return []


def files(items: Sequence[BtrfsVolume], disk: Disk) -> list[File]:
    """Return none: fstab has it all."""
    return []


def grub_drive(item: BtrfsVolume, device: str) -> None:
    """Return None: GRUB reads it from the first of its devices."""


def grub_modules(item: BtrfsVolume) -> list[str]:
    """Return none but that of the file system."""
    return []


def is_read_by_grub(item: BtrfsVolume) -> bool:
    """Always."""
    return True


def secrets(item: BtrfsVolume) -> tuple[str, ...]:
    """Return none: it has none."""
    return ()


def describe(item: BtrfsVolume) -> str:
    """Return it in one line."""
    return f"btrfs on {', '.join(item.devices)}"


def modules(item: BtrfsVolume) -> tuple[str, ...]:
    """Return the kernel modules that the appliance needs."""
    return ("btrfs",)


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
