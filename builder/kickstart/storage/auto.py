"""autopart and reqpart: the partitions that Anaconda chooses by itself.

The sizes are those of Anaconda's profile for CentOS (data/profile.d/centos.conf) and of its
platforms (pyanaconda/modules/storage/platform.py). An image must start by BIOS and by UEFI, so on
x86_64 it gets what either of them needs.
"""

from __future__ import annotations

from typing import Any

from pykickstart.constants import (
    AUTOPART_TYPE_BTRFS,
    AUTOPART_TYPE_LVM,
    AUTOPART_TYPE_LVM_THINP,
    AUTOPART_TYPE_PLAIN,
)

from builder.disk.parts import Table
from builder.disk.requests import PartitionRequest, Request, StorageRequest
from builder.disk.volumes.btrfs import BtrfsRequest, SubvolumeRequest
from builder.disk.volumes.lvm.model import GroupRequest, LogicalVolumeRequest
from builder.kickstart.read import Command, Kickstart
from builder.kickstart.storage.boot import is_disabled
from builder.kickstart.storage.reading import encryption
from images.release import Release

_GIB_MIB = 1024
_BOOT_MIB = 1024
_ROOT_MIB, _ROOT_MOST_MIB = 1024, 70 * _GIB_MIB
_HOME_MIB, _HOME_FROM_MIB = 500, 50 * _GIB_MIB
_EFI_MOST_MIB = 600
# "Make the EFI System Partition at least 500 MiB": Anaconda 39, so since CentOS Stream 10.
_EFI_MIB = {"RHEL7": 200, "RHEL8": 200, "RHEL9": 200}
_EFI_MIB_SINCE = 500
# blivet keeps a fifth of a thin group free, 1 GiB at least, for the pool to grow into.
_THIN_RESERVE_PERCENT = 20
_POOL = "pool00"


def automatic(
    kickstart: Kickstart, release: Release, disk_mib: int, table: Table | None, arch: str,
) -> StorageRequest:
    """Return what autopart and reqpart add to the kickstart's own lines.

    table: the kind that the kickstart or %pre insists on. With `bootloader --disabled` nothing
    is added for firmware. Raises InputError with file and line.
    """
    parts: list[PartitionRequest] = []
    found = kickstart.find("autopart", "reqpart")
    if found and not is_disabled(kickstart):
        parts += _firmware(found[-1], release, table, arch)
    for command in kickstart.find("reqpart")[-1:]:
        if command.data.addBoot:
            parts.append(_boot(command))
    for command in kickstart.find("autopart")[-1:]:
        return _scheme(command, parts, release, disk_mib, kickstart.dialect)
    return StorageRequest(partitions=tuple(parts))


def group_name(release: Release) -> str:
    """Return what Anaconda calls the first volume group: `cs` for CentOS Stream.

    The initials of the product's name, or the whole of it when it is one word
    (pyanaconda/product.py, shortProductName).
    """
    words = release.distribution.replace("-", " ").lower().split()
    return "".join(word[0] for word in words) if len(words) > 1 else words[0]


def _firmware(
    command: Command, release: Release, table: Table | None, arch: str,
) -> list[PartitionRequest]:
    efi_mib = _EFI_MIB.get(release.dialect, _EFI_MIB_SINCE)
    efi = PartitionRequest(mountpoint="/boot/efi", fstype="efi", size_mib=efi_mib, grow=True,
                           maxsize_mib=_EFI_MOST_MIB, where=command.where)
    bios = PartitionRequest(mountpoint="biosboot", size_mib=1, where=command.where)
    prep = PartitionRequest(mountpoint="prepboot", size_mib=4, grow=True, maxsize_mib=10,
                            where=command.where)
    return {
        "x86_64": [efi] if table == "msdos" else [bios, efi], "aarch64": [efi], "ppc64le": [prep],
    }.get(arch, [])


def _boot(command: Command) -> PartitionRequest:
    return PartitionRequest(mountpoint="/boot", fstype="xfs", size_mib=_BOOT_MIB,
                            where=command.where)


def _scheme(
    command: Command, parts: list[PartitionRequest], release: Release, disk_mib: int,
    dialect: str,
) -> StorageRequest:
    data = command.data
    around = encryption(data, "", dialect, command.where) if hasattr(data, "encrypted") else ()
    kind = getattr(data, "type", None)
    kind = AUTOPART_TYPE_LVM if kind is None else kind
    fstype = getattr(data, "fstype", "") or "xfs"
    if not getattr(data, "noboot", False):
        parts.append(_boot(command))
    sizes = _file_systems(data, disk_mib)
    swap = not getattr(data, "noswap", False)
    where = command.where
    if kind == AUTOPART_TYPE_PLAIN:
        parts += [
            PartitionRequest(mountpoint=point, fstype=fstype, around=around, where=where,
                             **size)
            for point, size in sizes.items()
        ]
        parts += [_swap_partition(where, around)] if swap else []
        return StorageRequest(partitions=tuple(parts))
    if kind == AUTOPART_TYPE_BTRFS:
        parts += [_swap_partition(where, around)] if swap else []
        return _btrfs(parts, sizes, around, group_name(release), where)
    parts.append(PartitionRequest(mountpoint="pv.01", grow=True, around=around, where=where))
    thin = kind == AUTOPART_TYPE_LVM_THINP
    return _lvm(parts, sizes, group_name(release), fstype, where, swap=swap, thin=thin)


def _file_systems(data: Any, disk_mib: int) -> dict[str, dict[str, Any]]:
    """Return / and, on disks that are large enough, /home with their sizes."""
    found: dict[str, dict[str, Any]] = {
        "/": {"size_mib": _ROOT_MIB, "grow": True, "maxsize_mib": _ROOT_MOST_MIB},
    }
    if not getattr(data, "nohome", False) and disk_mib >= _HOME_FROM_MIB:
        found["/home"] = {"size_mib": _HOME_MIB, "grow": True}
    return found


def _swap_partition(where: str, around: tuple[Request, ...]) -> PartitionRequest:
    return PartitionRequest(mountpoint="swap", recommended=True, around=around, where=where)


def _lvm(
    parts: list[PartitionRequest], sizes: dict[str, dict[str, Any]], group: str, fstype: str,
    where: str, *, swap: bool, thin: bool,
) -> StorageRequest:
    volumes: list[LogicalVolumeRequest] = []
    if thin:
        volumes.append(LogicalVolumeRequest(
            mountpoint="none", name=_POOL, group=group, role="thinpool", grow=True, size_mib=1024,
            where=where))
    for point, size in sizes.items():
        volumes.append(LogicalVolumeRequest(
            mountpoint=point, fstype=fstype, name=point.strip("/") or "root", group=group,
            role="thin" if thin else "linear", pool=_POOL if thin else None, where=where, **size))
    if swap:
        volumes.append(LogicalVolumeRequest(
            mountpoint="swap", name="swap", group=group, recommended=True, where=where))
    return StorageRequest(
        partitions=tuple(parts), volumes=(*volumes, GroupRequest(
            name=group, members=("pv.01",), where=where,
            reserved_percent=_THIN_RESERVE_PERCENT if thin else 0)),
    )


def _btrfs(
    parts: list[PartitionRequest], sizes: dict[str, dict[str, Any]],
    around: tuple[Request, ...], label: str, where: str,
) -> StorageRequest:
    parts.append(PartitionRequest(mountpoint="btrfs.01", grow=True, around=around,
                                  where=where))
    return StorageRequest(
        partitions=tuple(parts),
        volumes=(
            BtrfsRequest(mountpoint="none", members=("btrfs.01",), label=label, where=where),
            *(SubvolumeRequest(mountpoint=point, name=point.strip("/") or "root", parent=label,
                               where=where) for point in sizes)),
    )
