"""The layout of a disk as data: what a kickstart asks for, and what stands where in the end."""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from builder.disk.volume import Item
from builder.disk.volumes.registry import all_kinds, kind_of, members

Table = Literal["gpt", "msdos"]
# What holds other devices, or nothing, instead of files.
CONTAINERS = (*members(), "unused")
FSTYPES = ("xfs", "ext2", "ext3", "ext4", "vfat", "efi", "swap", "biosboot", "prepboot", "btrfs",
           *CONTAINERS)

SECTOR_BYTES = 512


def _known(fstype: str) -> str:
    if fstype not in FSTYPES:
        raise ValueError(f"unknown file system type {fstype}")
    return fstype


FsType = Annotated[str, AfterValidator(_known)]
"""One of FSTYPES."""


class FileSystem(BaseModel):
    """What is on a partition or on a volume: a file system, swap, or a part of something larger.

    mountpoint: None for what is not mounted as a folder.
    fs_uuid: the file system's UUID; for FAT the serial number as XXXX-XXXX; None without one.
    subvolume: the btrfs subvolume that is mounted; several share one device and UUID.
    fstab_options: the fourth word of its fstab line.
    where: the kickstart's file and line, for messages; not part of the identity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mountpoint: str | None
    fstype: FsType
    size_bytes: int
    fs_uuid: str | None
    label: str | None
    subvolume: str | None = None
    mkfs_options: tuple[str, ...] = ()
    fstab_options: str = "defaults"
    where: str | None = Field(default=None, exclude=True)


class Partition(FileSystem):
    """One partition and what is on it.

    number: its place in the table, from 1; an MBR table's logical partitions start at 5.
    type_id: the GPT type GUID (upper case), or the MBR type as two hexadecimal digits.
    part_uuid: the GPT partition's own GUID; None in an MBR table, which derives it.
    part_name, attributes: the GPT partition's name and attributes, as sfdisk writes them.
    bootable: the active flag of an MBR table.
    """

    number: int
    start_bytes: int
    type_id: str
    part_uuid: str | None
    part_name: str | None = None
    attributes: str = ""
    bootable: bool = False

    @property
    def device(self) -> str:
        """The partition's name in the guest, where the disk is /dev/vda."""
        return f"/dev/vda{self.number}"

    @property
    def end_bytes(self) -> int:
        """The offset of the first byte behind the partition."""
        return self.start_bytes + self.size_bytes


class Volume(FileSystem):
    """What is on a device that the stack makes out of partitions.

    device: its name in the guest, such as /dev/mapper/cs-root or /dev/md/boot; of a btrfs the
    first of its devices.
    """

    device: str


if TYPE_CHECKING:
    StackItem = Item
else:
    StackItem = Annotated[
        reduce(operator.or_, (kind.model for kind in all_kinds().values())),
        Field(discriminator="kind"),
    ]
"""What may be in the stack: an item of one of the kinds that there are."""


class Layout(BaseModel):
    """A whole disk; `model_dump(mode="json")` is canonical and belongs into the plan's digest.

    disk_uuid: the GPT disk's GUID, or the 32-bit MBR disk signature as 0xXXXXXXXX.
    stack: what is made of the partitions, in the order in which it is made.
    volumes: what is on the devices that the stack makes.
    notes: what the kickstart says and the disk does not get, as (file and line, why); people
    must be shown them; not part of the identity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Table
    disk_size_bytes: int
    disk_uuid: str
    partitions: tuple[Partition, ...]
    stack: tuple[StackItem, ...] = ()
    volumes: tuple[Volume, ...] = ()
    notes: tuple[tuple[str, str], ...] = Field(default=(), exclude=True)

    @property
    def filesystems(self) -> tuple[Partition | Volume, ...]:
        """Everything that holds files or swap, or that firmware reads: no parts of others."""
        both: tuple[Partition | Volume, ...] = (*self.partitions, *self.volumes)
        return tuple(part for part in both if part.fstype not in CONTAINERS)

    @property
    def root(self) -> Partition | Volume:
        """What is mounted at `/`."""
        found = self.at("/")
        assert found is not None  # plan_layout makes no layout without one
        return found

    def at(self, mountpoint: str) -> Partition | Volume | None:
        """Return what is mounted at a path, None when nothing is."""
        return next((part for part in self.filesystems if part.mountpoint == mountpoint), None)

    @property
    def mounted(self) -> tuple[Partition | Volume, ...]:
        """What holds parts of the root tree, outer ones before inner ones."""
        parts = [part for part in self.filesystems if part.mountpoint is not None]
        return tuple(sorted(parts, key=lambda part: (part.mountpoint or "").rstrip("/")))

    @property
    def mountpoints(self) -> tuple[str, ...]:
        """The folders that the root tree must have, outer ones first."""
        return tuple(part.mountpoint for part in self.mounted if part.mountpoint is not None)

    def below(self, mountpoint: str) -> tuple[str, ...]:
        """Return the mount points inside the one given, such as /boot/efi for /boot."""
        inside = mountpoint.rstrip("/") + "/"
        return tuple(
            point for point in self.mountpoints if point != mountpoint and point.startswith(inside)
        )

    def secrets(self) -> tuple[str, ...]:
        """Return the passphrases, which decide the image and are shown nowhere."""
        return tuple(secret for item in self.stack for secret in kind_of(item).secrets(item))


class DiskTable(BaseModel):
    """The partition table that a %pre script left on the disk, for `part --onpart`.

    disk_uuid, and each partition's part_uuid: None for one that was drawn at random and is to
    follow from the seed; a value for one that the script named.
    partitions: as they stand there, each of the type "unused" until a `part` line takes it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Table
    disk_uuid: str | None
    partitions: tuple[Partition, ...]
