"""The parts of a disk as data: its partitions, and what is on them and on volumes.

What is made of partitions – the stack – is in model.py, above the kinds of volumes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Table = Literal["gpt", "msdos"]
FsType = str
"""One of model.FSTYPES, which knows the kinds of volumes; a Layout sees to it."""

SECTOR_BYTES = 512


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


class Disk(BaseModel):
    """A disk and its partitions.

    disk_uuid: the GPT disk's GUID, or the 32-bit MBR disk signature as 0xXXXXXXXX.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Table
    disk_size_bytes: int
    disk_uuid: str
    partitions: tuple[Partition, ...]
