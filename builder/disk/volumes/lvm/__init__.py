"""LVM volume groups and their volumes, with the UUIDs of the layout."""

from __future__ import annotations

from collections.abc import Sequence

from builder.disk.parts import Disk, FileSystem
from builder.disk.volume import File, Member, Opener, Program, Stacking
from builder.disk.volumes.lvm.making import make, stop
from builder.disk.volumes.lvm.model import GroupRequest, LogicalVolumeRequest, VolumeGroup
from builder.disk.volumes.lvm.planning import carriers, plan_groups

__all__ = ["carriers", "make", "stop"]

name, rank = "lvm", 3
label = title = "LVM"
member = Member(
    "lvmpv", prefix="pv", minimum_mib=8, gpt_type="E6D6D379-F507-44C2-A23C-238F2A3DF928",
    mbr_type="8e", is_named=True, spellings=("physical volume (LVM)",),
    signature="LVM2_member")
programs = (Program("lvm", "lvm2", "lvm2", flag="version"),)
opener = Opener("lvm", "lvm2", "lvm", argument="rd.lvm")
encrypts = False
read_by_grub = ""
model, requests = VolumeGroup, (GroupRequest, LogicalVolumeRequest)


def plan(wishes: Sequence[GroupRequest | LogicalVolumeRequest], stacking: Stacking) -> None:
    """Add the groups, and what is on their volumes."""
    plan_groups(wishes, member, stacking)


def stands_on(item: VolumeGroup) -> tuple[str, ...]:
    """Return its physical volumes."""
    return item.devices


def devices(item: VolumeGroup) -> tuple[str, ...]:
    """Return what its volumes are called in the guest."""
    return tuple(item.device_of(volume.name) for volume in item.volumes)


def is_content(item: VolumeGroup, place: FileSystem) -> bool:
    """Never: file systems are on its volumes."""
    return False


def kernel_arguments(item: VolumeGroup, device: str) -> list[str]:
    """Return what has dracut activate one volume."""
    return [f"{opener.argument}.lv={item.name}/{volume.name}" for volume in item.volumes
            if device == item.device_of(volume.name)]


def files(items: Sequence[VolumeGroup], disk: Disk) -> list[File]:
    """Return none: LVM finds its groups."""
    return []


def grub_drive(item: VolumeGroup, device: str) -> str:
    """Return GRUB's name of a volume."""
    return "lvm/" + device.removeprefix("/dev/mapper/")


def grub_modules(item: VolumeGroup) -> list[str]:
    """Return GRUB's module that reads it."""
    return ["lvm"]


def is_read_by_grub(item: VolumeGroup) -> bool:
    """Not by the core image that is made here."""
    return False


def secrets(item: VolumeGroup) -> tuple[str, ...]:
    """Return none: it has none."""
    return ()


def describe(item: VolumeGroup) -> str:
    """Return it in one line."""
    names = ", ".join(volume.name for volume in item.volumes)
    return f"LVM group {item.name} on {', '.join(item.devices)}: {names}"


def modules(item: VolumeGroup) -> tuple[str, ...]:
    """Return the kernel modules that the appliance needs."""
    thin = any(volume.role != "linear" for volume in item.volumes)
    return ("dm_mod", *(("dm_thin_pool",) if thin else ()))
