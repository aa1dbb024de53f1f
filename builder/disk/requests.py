"""What a kickstart asks of a disk, as data: before sizes, places and UUIDs are known."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EncryptionRequest(BaseModel):
    """LUKS around something: --passphrase, --luks-version, --cipher and the --pbkdf options.

    options: words for `cryptsetup luksFormat`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    passphrase: str = Field(repr=False)
    version: Literal["luks1", "luks2"] = "luks2"
    cipher: str | None = None
    options: tuple[str, ...] = ()


class FormatRequest(BaseModel):
    """What is to be on a device, whatever the device is.

    mountpoint: a path; `biosboot`, `prepboot`, `swap`; `none` for what is made and not mounted;
    or the name of a member: pv.NN, raid.NN, btrfs.NN.
    fstype: as kickstart names it; None: what Anaconda would take for that mount point.
    mkfs_options, fstab_options: --mkfsoptions cut into words, --fsoptions as it stands.
    profile: --fsprofile.
    uuid: the file system's UUID when it is not to be derived from the seed.
    where: file and line, for messages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mountpoint: str
    fstype: str | None = None
    label: str | None = None
    mkfs_options: tuple[str, ...] = ()
    profile: str | None = None
    fstab_options: str | None = None
    uuid: str | None = None
    encryption: EncryptionRequest | None = None
    where: str

    @property
    def member_of(self) -> Literal["pv", "raid", "btrfs"] | None:
        """What kind of larger device it is a part of, by its name."""
        for kind in ("pv", "raid", "btrfs"):
            if self.mountpoint.startswith(f"{kind}."):
                return kind
        return None


class SizedRequest(FormatRequest):
    """A device whose size is to be found: --size, --grow, --maxsize, --recommended."""

    size_mib: int | None = None
    grow: bool = False
    maxsize_mib: int | None = None
    recommended: bool = False


class PartitionRequest(SizedRequest):
    """One `part` line.

    asprimary: --asprimary, which matters in an MBR table only.
    number: the partition that %pre made and this line takes, by --onpart; None: a new one.
    """

    asprimary: bool = False
    number: int | None = None


class ArrayRequest(FormatRequest):
    """One `raid` line; name: what --device says, without /dev/md/."""

    name: str
    level: str
    members: tuple[str, ...]
    spares: int = 0
    chunk_kib: int | None = None


class GroupRequest(BaseModel):
    """One `volgroup` line; reserved_…: the room that logical volumes leave free."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    members: tuple[str, ...]
    extent_kib: int = 4096
    reserved_mib: int = 0
    reserved_percent: int = 0
    where: str


class LogicalVolumeRequest(SizedRequest):
    """One `logvol` line.

    percent: how much of what fixed sizes leave of the group, or of the pool, it grows by.
    pool: the thin pool that a thin volume lives in.
    """

    name: str
    group: str
    percent: int | None = None
    role: Literal["linear", "thinpool", "thin"] = "linear"
    pool: str | None = None
    metadata_mib: int | None = None
    chunk_kib: int | None = None


class BtrfsRequest(BaseModel):
    """One `btrfs` line that makes a volume; mountpoint: that of its top level, or `none`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mountpoint: str
    members: tuple[str, ...]
    label: str | None = None
    data: str | None = None
    metadata: str | None = None
    mkfs_options: tuple[str, ...] = ()
    where: str


class SubvolumeRequest(BaseModel):
    """One `btrfs --subvol` line; parent: the volume's label or one of its members."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mountpoint: str
    name: str
    parent: str
    where: str


class StorageRequest(BaseModel):
    """Everything that a kickstart asks of its disk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partitions: tuple[PartitionRequest, ...]
    arrays: tuple[ArrayRequest, ...] = ()
    groups: tuple[GroupRequest, ...] = ()
    logical_volumes: tuple[LogicalVolumeRequest, ...] = ()
    btrfs: tuple[BtrfsRequest, ...] = ()
    subvolumes: tuple[SubvolumeRequest, ...] = ()
