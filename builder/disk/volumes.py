"""What is made of partitions – LUKS, RAID, LVM, btrfs – and what is on that, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from builder.disk.content import Notebook, content
from builder.disk.groups import group_of
from builder.disk.ids import array_id, derive
from builder.disk.model import MIB, Array, BtrfsVolume, Encryption, FsType, StackItem, Volume
from builder.disk.requests import (
    ArrayRequest,
    BtrfsRequest,
    EncryptionRequest,
    FormatRequest,
    GroupRequest,
    StorageRequest,
)
from builder.disk.types import check_size, type_of
from host.errors import InputError

# The headers before the data: cryptsetup(8), "luks2-metadata-size", and LUKS1's payload offset.
_LUKS_HEADER_BYTES = {"luks1": 2 * MIB, "luks2": 16 * MIB}
# What mdadm's levels need at least (mdadm(8), --level), as Anaconda checks it, too.
_FEWEST = {"raid0": 2, "raid1": 2, "raid4": 3, "raid5": 3, "raid6": 4, "raid10": 2}
_FEWEST_BTRFS = {"raid0": 1, "raid1": 2, "raid10": 2, "single": 1}


@dataclass
class Stacking:
    """The stack in the making.

    members: the devices that larger ones are made of, by their names in the kickstart, with
    device, size in bytes and the kickstart's line.
    """

    requests: StorageRequest
    disk_mib: int
    book: Notebook
    items: list[StackItem] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    members: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)

    def take(
        self, request: FormatRequest, fstype: FsType, device: str, size_bytes: int, *,
        on_partition: bool = True,
    ) -> None:
        """Take in one device: encrypt it, remember it as a member, or put a file system there.

        on_partition: an unencrypted file system is then the partition's own, not a volume's.
        """
        if request.encryption:
            device, size_bytes = self._encrypt(request.encryption, device, size_bytes, request)
            on_partition = False
        if request.member_of:
            if request.mountpoint in self.members:
                raise InputError(f"two devices are called {request.mountpoint}",
                                 where=request.where,
                                 why=f"the first one is at {self.members[request.mountpoint][2]}")
            check_size(request.mountpoint, fstype, size_bytes, request.where)
            self.members[request.mountpoint] = (device, size_bytes, request.where)
        elif not on_partition:
            self.volumes.append(Volume(
                device=device, **content(request, fstype, size_bytes, device, self.book)))

    def build(self) -> None:
        """Make everything above the partitions: arrays, then groups, then btrfs volumes."""
        for array in self.requests.arrays:
            self._array(array)
        for group in self.requests.groups:
            self._group(group)
        known = {group.name for group in self.requests.groups}
        for volume in self.requests.logical_volumes:
            if volume.group not in known:
                raise InputError(f"there is no volume group {volume.group}", where=volume.where,
                                 remedy=f"add: volgroup {volume.group} pv.01")
        for btrfs in self.requests.btrfs:
            self.items.append(self._btrfs(btrfs))
        for subvolume in self.requests.subvolumes:
            if not any(subvolume.parent in _names(each) for each in self.requests.btrfs):
                raise InputError(f"there is no btrfs volume {subvolume.parent}",
                                 where=subvolume.where,
                                 remedy="name the label, as in: btrfs … --subvol --name=x LABEL=y")
        for name, (_, _, where) in self.members.items():
            if name not in self.used:
                self.book.note(where, f"{name} is a part of nothing: no raid, volgroup or btrfs "
                                      "line names it")

    def _encrypt(
        self, wish: EncryptionRequest, device: str, size_bytes: int, request: FormatRequest,
    ) -> tuple[str, int]:
        check_size(request.mountpoint, "luks", size_bytes, request.where)
        identity = str(derive(self.book.seed, f"luks {device}"))
        item = Encryption(
            device=device, name=f"luks-{identity}", uuid=identity, version=wish.version,
            cipher=wish.cipher, options=wish.options, passphrase=wish.passphrase,
            where=request.where,
        )
        self.items.append(item)
        return f"/dev/mapper/{item.name}", size_bytes - _LUKS_HEADER_BYTES[item.version]

    def _members(
        self, names: Sequence[str], kind: str, owner: str, where: str,
    ) -> list[tuple[str, int]]:
        """Return the devices and sizes of members, each of which has one owner only."""
        found = []
        for name in names:
            if name not in self.members:
                raise InputError(f"{owner}: there is no {name}", where=where,
                                 remedy=f"add: part {name} --size=… (or another {kind}.NN)")
            if name.partition(".")[0] != kind:
                raise InputError(f"{owner} cannot be made of {name}", where=where,
                                 why=f"its parts are called {kind}.NN")
            if name in self.used:
                raise InputError(f"{name} is used twice", where=where,
                                 why=f"by {self.used[name]} and {owner}")
            self.used[name] = owner
            found.append(self.members[name][:2])
        return found

    def _array(self, wish: ArrayRequest) -> None:
        owner = f"the RAID {wish.name}"
        devices = self._members(wish.members, "raid", owner, wish.where)
        active = len(devices) - wish.spares
        if active < _FEWEST.get(wish.level, 1):
            raise InputError(
                f"{wish.level} needs at least {_FEWEST[wish.level]} devices that are not spare",
                where=wish.where, why=f"there are {max(active, 0)}")
        if any(isinstance(item, Array) and item.name == wish.name for item in self.items):
            raise InputError(f"two arrays are called {wish.name}", where=wish.where)
        fstype = type_of(wish)
        if fstype in ("efi", "biosboot", "prepboot"):
            raise InputError(f"{wish.mountpoint} cannot be on a RAID: firmware reads it",
                             where=wish.where, remedy=f"add `part {wish.mountpoint} --size=…`")
        self.items.append(Array(
            name=wish.name, level=wish.level, devices=tuple(name for name, _ in devices),
            spares=wish.spares, chunk_kib=wish.chunk_kib,
            uuid=array_id(self.book.seed, f"array {wish.name}"), where=wish.where,
        ))
        smallest = min(size for _, size in devices)
        size_bytes = _usable_bytes(smallest) * _data_members(wish.level, active) // MIB * MIB
        self.take(wish, fstype, f"/dev/md/{wish.name}", size_bytes, on_partition=False)

    def _group(self, wish: GroupRequest) -> None:
        devices = self._members(wish.members, "pv", f"the volume group {wish.name}", wish.where)
        if any(item.kind == "lvm" and item.name == wish.name for item in self.items):
            raise InputError(f"two volume groups are called {wish.name}", where=wish.where)
        wishes = [volume for volume in self.requests.logical_volumes if volume.group == wish.name]
        group = group_of(wish, devices, wishes, self.disk_mib, self.book.seed)
        self.items.append(group)
        made = {volume.name: volume for volume in group.volumes}
        for request in wishes:
            if request.role == "thinpool":
                continue
            volume = made[request.name]
            self.take(request, type_of(request), group.device_of(volume.name),
                      volume.size_mib * MIB, on_partition=False)

    def _btrfs(self, wish: BtrfsRequest) -> BtrfsVolume:
        devices = self._members(wish.members, "btrfs", "the btrfs volume", wish.where)
        for level in (wish.data, wish.metadata):
            if level and len(devices) < _FEWEST_BTRFS[level]:
                raise InputError(f"btrfs: {level} needs {_FEWEST_BTRFS[level]} devices",
                                 where=wish.where, why=f"there are {len(devices)}")
        inside = [sub for sub in self.requests.subvolumes if sub.parent in _names(wish)]
        size_bytes, first = sum(size for _, size in devices), devices[0][0]
        top = FormatRequest(mountpoint=wish.mountpoint, fstype="btrfs", label=wish.label,
                            mkfs_options=wish.mkfs_options, where=wish.where)
        fields = content(top, "btrfs", size_bytes, first, self.book)
        volume = BtrfsVolume(
            devices=tuple(name for name, _ in devices), uuid=fields["fs_uuid"], label=wish.label,
            data=wish.data, metadata=wish.metadata, mkfs_options=fields["mkfs_options"],
            subvolumes=tuple(dict.fromkeys(sub.name for sub in inside)), where=wish.where,
        )
        if fields["mountpoint"]:
            self.volumes.append(Volume(device=first, **fields))
        for sub in inside:
            request = FormatRequest(mountpoint=sub.mountpoint, fstype="btrfs", label=wish.label,
                                    fstab_options=f"subvol={sub.name}", uuid=volume.uuid,
                                    where=sub.where)
            shown = content(request, "btrfs", size_bytes, sub.name, self.book)
            if shown["mountpoint"]:
                self.volumes.append(Volume(device=first, subvolume=sub.name, **shown))
        return volume


def carriers(requests: StorageRequest, point: str) -> frozenset[str]:
    """Return the mount points and members that `point` stands on, itself among them."""
    found = {point}
    groups = {volume.group for volume in requests.logical_volumes if volume.mountpoint == point}
    for group in requests.groups:
        found |= set(group.members) if group.name in groups else set()
    parents = {sub.parent for sub in requests.subvolumes if sub.mountpoint == point}
    for btrfs in requests.btrfs:
        if btrfs.mountpoint == point or parents & _names(btrfs):
            found |= set(btrfs.members)
    for array in requests.arrays:
        if array.mountpoint in found:
            found |= set(array.members)
    return frozenset(found)


def _names(btrfs: BtrfsRequest) -> set[str]:
    """Return what a subvolume may call its parent: the label, with or without LABEL=, a member."""
    label = {btrfs.label, f"LABEL={btrfs.label}"} if btrfs.label else set()
    return {name for name in (*label, *btrfs.members) if name}


def _data_members(level: str, active: int) -> int:
    """Return how many members' worth of data an array holds."""
    return {"raid1": 1, "raid4": active - 1, "raid5": active - 1, "raid6": active - 2,
            "raid10": active // 2}.get(level, active)


def _usable_bytes(member_bytes: int) -> int:
    """Return what mdadm leaves of a member, rather too little than too much.

    mdadm's super1.c keeps a headroom before the data of 128 MiB, halved as long as it is more
    than a thousandth of the member, and room for the bitmap.
    """
    headroom = 128 * MIB
    while headroom << 10 > member_bytes and headroom > 2 * MIB:
        headroom >>= 1
    return member_bytes - headroom - 2 * MIB
