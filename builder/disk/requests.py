"""What a kickstart asks of a disk, as data: before sizes, places and UUIDs are known.

What it asks of a kind of volumes stands beside that kind, in builder/disk/volumes/.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """One thing that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FormatRequest(Request):
    """What is to be on a device, whatever the device is.

    mountpoint: a path; `biosboot`, `prepboot`, `swap`; `none` for what is made and not mounted;
    or the name of a member: pv.NN, raid.NN, btrfs.NN.
    fstype: as kickstart names it; None: what Anaconda would take for that mount point.
    mkfs_options, fstab_options: --mkfsoptions cut into words, --fsoptions as it stands.
    profile: --fsprofile.
    uuid: the file system's UUID when it is not to be derived from the seed.
    around: what goes around it, such as LUKS (volume.Wrapper), the outermost first.
    where: file and line, for messages.
    """

    mountpoint: str
    fstype: str | None = None
    label: str | None = None
    mkfs_options: tuple[str, ...] = ()
    profile: str | None = None
    fstab_options: str | None = None
    uuid: str | None = None
    around: tuple[Request, ...] = ()
    where: str


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


class MemoryRequest(Request):
    """One `part … --fstype=tmpfs` line: a file system in the guest's memory, on no disk."""

    mountpoint: str
    size_mib: int | None = None
    fstab_options: str | None = None
    where: str


class StorageRequest(Request):
    """Everything that a kickstart asks of its disk.

    volumes: of which kind each is, its class says (volume.Composite). memory: what is on no disk.
    """

    partitions: tuple[PartitionRequest, ...]
    volumes: tuple[Request, ...] = ()
    memory: tuple[MemoryRequest, ...] = ()
