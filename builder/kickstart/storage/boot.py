"""The kickstart's boot loader: whether there is one, and which disks it must be able to read."""

from __future__ import annotations

from builder.disk.model import Array, Layout, Partition, Volume
from builder.kickstart.read import Command, Kickstart
from host.errors import InputError

# GRUB's mdraid1x reads these; what is on one member of a RAID 1 is on all of them.
_READABLE_RAID = ("raid1",)


def boot_loader(kickstart: Kickstart) -> Command | None:
    """Return the `bootloader` line that counts, the last one; None when none is to be installed.

    None, too, without such a line: who wants no boot loader need not say so.
    """
    found = kickstart.find("bootloader")
    if not found or found[-1].data.location == "none" or getattr(found[-1].data, "disabled", False):
        return None
    return found[-1]


def is_disabled(kickstart: Kickstart) -> bool:
    """Say whether the kickstart turns the boot loader off: `--disabled`, `--location=none`."""
    return bool(kickstart.find("bootloader")) and boot_loader(kickstart) is None


def check_readable(kickstart: Kickstart, layout: Layout) -> None:
    """Raise InputError when GRUB's core image, as it is made here, can't read /boot, or would have
    to go elsewhere than to the disk's start."""
    command = boot_loader(kickstart)
    if command is None:
        return
    if command.data.location not in (None, "", "mbr"):
        raise InputError(f"bootloader --location={command.data.location} is not possible",
                         where=command.where, why="GRUB 2 has to be where the firmware looks",
                         remedy="say --location=mbr, or leave it out")
    place = layout.at("/boot") or layout.root
    if isinstance(place, Partition) or array_below(layout, place) or _is_plain_btrfs(layout, place):
        if place.fstype in ("vfat", "efi"):
            raise InputError("/boot cannot be a FAT", where=place.where,
                             why="kernels are put there with links")
        return
    raise InputError(
        f"the boot loader can't read {place.mountpoint} on {place.device}", where=place.where,
        why="it reads partitions, RAID 1 and btrfs; no LVM, no LUKS",
        remedy="give /boot a partition of its own: part /boot --fstype=xfs --size=1024",
    )


def array_below(layout: Layout, place: Volume | Partition) -> Array | None:
    """Return the RAID 1 that a volume is directly on, None for anything else."""
    return next((
        item for item in layout.stack if isinstance(item, Array)
        and place.device == f"/dev/md/{item.name}" and item.level in _READABLE_RAID
        and all(device.startswith("/dev/vda") for device in item.devices)
    ), None)


def _is_plain_btrfs(layout: Layout, place: Volume) -> bool:
    return any(
        item.kind == "btrfs" and item.uuid == place.fs_uuid
        and all(device.startswith("/dev/vda") for device in item.devices)
        for item in layout.stack
    )
