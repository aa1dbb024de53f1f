"""Checks on the disk inside an artefact: partitions, file systems, boot loader, kernels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from specs.kind import Check, GuestPath, Regex

FileSystem = Literal["xfs", "ext4", "btrfs", "ext3", "vfat"]
Purpose = Literal["bios-boot", "efi-system", "prep-boot"]
VOLUME = "/dev/mapper"
"""The name of a logical volume or opened LUKS container: the same on whatever disk it is."""


class PartitionTable(Check):
    """The disk has this kind of table and partitions for these purposes.

    root_last: nothing lies behind the partition of the root file system, so that it can grow
    with the disk. For a root on LVM, LUKS or RAID: behind the (or one) partition under it.
    """

    kind: Literal["partition_table"] = "partition_table"
    scheme: Literal["gpt", "msdos"]
    purposes: tuple[Purpose, ...] = ()
    root_last: bool = True


class Filesystem(Check):
    """The file system mounted there is of one of these types, and labelled so if `label`."""

    kind: Literal["filesystem"] = "filesystem"
    mountpoint: GuestPath
    types: list[FileSystem] = Field(min_length=1)
    label: str | None = None


class Fstab(Check):
    """fstab names file systems so, and each exists on the disk with that type and subvolume."""

    kind: Literal["fstab"] = "fstab"
    by: list[Literal["UUID", "LABEL", "PARTUUID", "PARTLABEL", "/dev/mapper"]] = Field(
        min_length=1)


class BiosBoot(Check):
    """Sector 0 holds boot code, and the boot partition or gap that it loads is not empty."""

    kind: Literal["bios_boot"] = "bios_boot"


class KernelArguments(Check):
    """Every boot entry (rescue apart) has an argument for each of these, and none of those.

    An expression must match an argument from end to end.
    root_on_disk: root= names the file system that is mounted at /, by one of its tags or a
    volume's own name, and rootflags= its btrfs subvolume.
    """

    kind: Literal["kernel_arguments"] = "kernel_arguments"
    present: tuple[Regex, ...] = ()
    absent: tuple[Regex, ...] = ()
    root_on_disk: bool = False


class KernelComplete(Check):
    """Every kernel with modules has its image, initramfs, module index and boot entry."""

    kind: Literal["kernel_complete"] = "kernel_complete"


class GptSound(Check):
    """Both tables of a GPT are whole, agree, and lie where they belong: first and last sectors."""

    kind: Literal["gpt_sound"] = "gpt_sound"


class ProtectiveMbr(Check):
    """Sector 0 protects a GPT: one partition of type 0xEE from sector 1 over the whole disk."""

    kind: Literal["protective_mbr"] = "protective_mbr"


class PartitionAlignment(Check):
    """Partitions begin at multiples of this, and none lies over another."""

    kind: Literal["partition_alignment"] = "partition_alignment"
    multiple_bytes: int = Field(gt=0)


class PartitionSize(Check):
    """The partition for a purpose is at least so large; a disk without one is not asked."""

    kind: Literal["partition_size"] = "partition_size"
    purpose: Purpose
    min_bytes: int = Field(gt=0)


class FstabOnly(Check):
    """fstab mounts at no other places than these, of no other types, with these options there."""

    kind: Literal["fstab_only"] = "fstab_only"
    mountpoints: list[str] = Field(min_length=1)
    options: dict[str, list[str]] = Field(default_factory=dict)


class NoSwap(Check):
    """There is no swap: no partition of its type, none in fstab, no zram."""

    kind: Literal["no_swap"] = "no_swap"


class RootOn(Check):
    """The root file system stands on a partition, with nothing between but these."""

    kind: Literal["root_on"] = "root_on"
    kinds: tuple[Literal["lvm", "crypt", "raid"], ...] = ()
