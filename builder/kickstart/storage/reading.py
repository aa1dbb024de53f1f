"""part, raid, volgroup, logvol and btrfs lines as requests; what options are refused the registry
says (builder/kickstart/commands/storage.py)."""

from __future__ import annotations

import shlex
from typing import Any

from builder.disk.model import DiskTable
from builder.disk.requests import (
    MemoryRequest,
    PartitionRequest,
    Request,
    StorageRequest,
)
from builder.disk.volumes.btrfs import BtrfsRequest, SubvolumeRequest
from builder.disk.volumes.luks import EncryptionRequest
from builder.disk.volumes.lvm.model import GroupRequest, LogicalVolumeRequest
from builder.disk.volumes.md import ArrayRequest
from builder.kickstart.read import Command, Kickstart
from builder.kickstart.storage.disks import check_disks, partition_number
from host.errors import InputError

PARTITIONS = ("part", "partition")
COMMANDS = (*PARTITIONS, "raid", "volgroup", "logvol", "btrfs")
# Anaconda's default since Red Hat Enterprise Linux 8 is LUKS2.
_IN_MEMORY = "tmpfs"
_LUKS1_DIALECTS = ("RHEL6", "RHEL7")


def requests_of(kickstart: Kickstart, existing: DiskTable | None) -> StorageRequest:
    """Return what the kickstart's own lines ask for; autopart and reqpart are not among them.

    Raises InputError with file and line.
    """
    passphrase = _default_passphrase(kickstart)
    dialect = kickstart.dialect
    return StorageRequest(
        partitions=tuple(_partition(command, existing, passphrase, dialect)
                         for command in kickstart.find(*PARTITIONS)
                         if command.data.fstype != _IN_MEMORY),
        volumes=(
            *(_array(command, passphrase, dialect) for command in kickstart.find("raid")),
            *(_group(command) for command in kickstart.find("volgroup")),
            *(_logical_volume(command, passphrase, dialect)
              for command in kickstart.find("logvol")),
            *(_subvolume(command) if command.data.subvol else _btrfs(command, kickstart)
              for command in kickstart.find("btrfs")),
        ),
        memory=tuple(_memory(command) for command in kickstart.find(*PARTITIONS)
                     if command.data.fstype == _IN_MEMORY),
    )


def encryption(
    data: Any, default: str, dialect: str, where: str,
) -> tuple[Request, ...]:
    """Return what --encrypted and the options beside it put around a device, if anything.

    default: the passphrase of other lines, which Anaconda takes where a line has none.
    """
    if not data.encrypted:
        return ()
    passphrase = data.passphrase or default
    if not passphrase:
        raise InputError("--encrypted needs a --passphrase", where=where,
                         why="nobody is there to be asked for one")
    version = getattr(data, "luks_version", "") or (
        "luks1" if dialect in _LUKS1_DIALECTS else "luks2")
    if version not in ("luks1", "luks2"):
        raise InputError(f"--luks-version={version} can't be made", where=where,
                         remedy="use luks2")
    options = {
        "--pbkdf": getattr(data, "pbkdf", ""),
        "--pbkdf-memory": getattr(data, "pbkdf_memory", 0),  # KiB, for both
        "--iter-time": getattr(data, "pbkdf_time", 0),       # milliseconds, for both
        "--pbkdf-force-iterations": getattr(data, "pbkdf_iterations", 0),
    }
    return (EncryptionRequest(
        passphrase=passphrase, version=version, cipher=getattr(data, "cipher", "") or None,
        options=tuple(f"{name}={value}" for name, value in options.items() if value),
    ),)


def _default_passphrase(kickstart: Kickstart) -> str:
    """Return the first passphrase of the file, autopart's before all others."""
    for command in (*kickstart.find("autopart"), *kickstart.find(*COMMANDS)):
        if getattr(command.data, "passphrase", ""):
            return str(command.data.passphrase)
    return ""


def _format(command: Command, passphrase: str, dialect: str) -> dict[str, Any]:
    """Return the fields that every line has which says what is to be on a device."""
    data = command.data
    return {
        "mountpoint": data.mountpoint or "none", "fstype": data.fstype or None,
        "label": getattr(data, "label", "") or None,
        "mkfs_options": mkfs_options(command), "profile": getattr(data, "fsprofile", "") or None,
        "fstab_options": data.fsopts or None,
        "around": encryption(data, passphrase, dialect, command.where),
        "where": command.where,
    }


def _size(data: Any) -> dict[str, Any]:
    return {"size_mib": data.size or None, "grow": bool(data.grow),
            "maxsize_mib": data.maxSizeMB or None, "recommended": bool(data.recommended)}


def mkfs_options(command: Command) -> tuple[str, ...]:
    """Return --mkfsoptions cut into words; raise InputError for an open quote."""
    try:
        return tuple(shlex.split(getattr(command.data, "mkfsopts", "") or ""))
    except ValueError as error:
        raise InputError("--mkfsoptions cannot be cut into words", where=command.where,
                         why=str(error)) from error


def _partition(
    command: Command, existing: DiskTable | None, passphrase: str, dialect: str,
) -> PartitionRequest:
    data = command.data
    if data.disk:
        check_disks("--ondisk", [data.disk], command.where)
    number = partition_number(data.onPart, existing, command.where) if data.onPart else None
    return PartitionRequest(
        **_format(command, passphrase, dialect), **_size(data), asprimary=bool(data.primOnly),
        number=number,
    )


def _memory(command: Command) -> MemoryRequest:
    """Return a tmpfs; Anaconda takes its size, and nothing that a disk is needed for."""
    data = command.data
    if data.onPart or data.encrypted:
        raise InputError("a tmpfs is on no disk: --onpart and --encrypted mean nothing to it",
                         where=command.where, remedy="leave them out")
    return MemoryRequest(mountpoint=data.mountpoint or "", size_mib=data.size or None,
                         fstab_options=data.fsopts or None, where=command.where)


def _array(command: Command, passphrase: str, dialect: str) -> ArrayRequest:
    data = command.data
    # Before Fedora 43 pykickstart takes the "md" of `md0` away; blivet names it /dev/md/0.
    return ArrayRequest(
        **_format(command, passphrase, dialect), name=str(data.device).removeprefix("/dev/md/"),
        level=str(data.level).lower(), members=tuple(data.members), spares=int(data.spares or 0),
        chunk_kib=getattr(data, "chunk_size", None) or None,
    )


def _group(command: Command) -> GroupRequest:
    data = command.data
    return GroupRequest(
        name=data.vgname, members=tuple(data.physvols), extent_kib=data.pesize or 4096,
        reserved_mib=getattr(data, "reserved_space", None) or 0,
        reserved_percent=getattr(data, "reserved_percent", None) or 0, where=command.where,
    )


def _logical_volume(command: Command, passphrase: str, dialect: str) -> LogicalVolumeRequest:
    data = command.data
    pool, thin = getattr(data, "thin_pool", False), getattr(data, "thin_volume", False)
    return LogicalVolumeRequest(
        **_format(command, passphrase, dialect), **_size(data), name=data.name, group=data.vgname,
        percent=data.percent or None, role="thinpool" if pool else "thin" if thin else "linear",
        pool=getattr(data, "pool_name", "") or None if thin else None,
        metadata_mib=getattr(data, "metadata_size", None) or None,
        chunk_kib=getattr(data, "chunk_size", None) or None,
    )


def _btrfs(command: Command, kickstart: Kickstart) -> BtrfsRequest:
    data = command.data
    said = [part.data.fsopts for part in kickstart.find(*PARTITIONS)
            if part.data.mountpoint in data.devices[:1] and part.data.fsopts]
    return BtrfsRequest(
        mountpoint=data.mountpoint, members=tuple(data.devices), label=data.label or None,
        data=data.dataLevel, metadata=data.metaDataLevel, mkfs_options=mkfs_options(command),
        fstab_options=said[0] if said else None, where=command.where,
    )


def _subvolume(command: Command) -> SubvolumeRequest:
    data = command.data
    name = str(data.name)
    if name.startswith("/") or ".." in name.split("/") or any(c in name for c in ", \t\n"):
        raise InputError(f"{name!r} is no name for a subvolume", where=command.where)
    return SubvolumeRequest(mountpoint=data.mountpoint, name=name, parent=data.devices[0],
                            where=command.where)
