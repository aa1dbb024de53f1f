"""The layout of a disk as data: what a kickstart asks for, and what stands where in the end."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Table = Literal["gpt", "msdos"]
FsType = Literal[
    "xfs", "ext2", "ext3", "ext4", "vfat", "efi", "swap", "biosboot", "prepboot", "btrfs",
]

MIB = 1 << 20
SECTOR_BYTES = 512


class PartitionRequest(BaseModel):
    """One `part` line of a kickstart.

    mountpoint: a path, or `biosboot`, `prepboot`, `swap`, as kickstart's `part` takes it.
    fstype: as kickstart names it; None: what Anaconda would take for that mount point.
    size_mib, maxsize_mib, grow, recommended: --size, --maxsize, --grow, --recommended.
    mkfs_options, fstab_options: --mkfsoptions cut into words, --fsoptions as it stands.
    uuid: the file system's UUID when it is not to be derived from the seed.
    where: file and line, for messages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mountpoint: str
    fstype: str | None = None
    size_mib: int | None = None
    grow: bool = False
    maxsize_mib: int | None = None
    recommended: bool = False
    label: str | None = None
    asprimary: bool = False
    mkfs_options: tuple[str, ...] = ()
    fstab_options: str | None = None
    uuid: str | None = None
    where: str


class Partition(BaseModel):
    """One partition and the file system in it.

    number: its place in the table, from 1.
    mountpoint: None for what is not mounted as a folder.
    type_id: the GPT type GUID (upper case), or the MBR type as two hexadecimal digits.
    part_uuid: the GPT partition's own GUID; None in an MBR table, which derives it.
    fs_uuid: the file system's UUID; for FAT the serial number as XXXX-XXXX; None without one.
    fstab_options: the fourth word of its fstab line.
    bootable: the active flag of an MBR table.
    where: the kickstart's file and line, for messages; not part of the identity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    mountpoint: str | None
    fstype: FsType
    start_bytes: int
    size_bytes: int
    type_id: str
    part_uuid: str | None
    fs_uuid: str | None
    label: str | None
    mkfs_options: tuple[str, ...] = ()
    fstab_options: str = "defaults"
    bootable: bool = False
    where: str | None = Field(default=None, exclude=True)

    @property
    def end_bytes(self) -> int:
        """The offset of the first byte behind the partition."""
        return self.start_bytes + self.size_bytes


class Layout(BaseModel):
    """A whole disk; `model_dump(mode="json")` is canonical and belongs into the plan's digest.

    disk_uuid: the GPT disk's GUID, or the 32-bit MBR disk signature as 0xXXXXXXXX.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Table
    disk_size_bytes: int
    disk_uuid: str
    partitions: tuple[Partition, ...]

    @property
    def root(self) -> Partition:
        """The partition that is mounted at `/`."""
        found = self.at("/")
        assert found is not None  # plan_layout makes no layout without one
        return found

    def at(self, mountpoint: str) -> Partition | None:
        """Return the partition mounted at a path, None when there is none."""
        return next((part for part in self.partitions if part.mountpoint == mountpoint), None)

    @property
    def mounted(self) -> tuple[Partition, ...]:
        """The partitions that hold parts of the root tree, outer ones before inner ones."""
        parts = [part for part in self.partitions if part.mountpoint is not None]
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
