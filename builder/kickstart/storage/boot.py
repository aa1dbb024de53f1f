"""The kickstart's boot loader: whether there is one, and which disks it must be able to read."""

from __future__ import annotations

from builder.disk.model import Layout
from builder.disk.parts import Partition, Volume
from builder.disk.volumes.registry import all_kinds, kind_of
from builder.kickstart.read import Command, Kickstart
from host.errors import InputError


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
    if isinstance(place, Partition) or _is_readable(layout, place):
        if place.fstype in ("vfat", "efi"):
            raise InputError("/boot cannot be a FAT", where=place.where,
                             why="kernels are put there with links")
        return
    raise InputError(
        f"the boot loader can't read {place.mountpoint} on {place.device}", where=place.where,
        why=_what_grub_reads(),
        remedy="give /boot a partition of its own: part /boot --fstype=xfs --size=1024",
    )


def _is_readable(layout: Layout, place: Volume) -> bool:
    """Say whether a volume is, or is on, something that GRUB reads and that is on partitions."""
    for item in layout.stack:
        kind = kind_of(item)
        if ((place.device in kind.devices(item) or kind.is_content(item, place))
                and kind.is_read_by_grub(item)
                and all(device.startswith("/dev/vda") for device in kind.stands_on(item))):
            return True
    return False


def _what_grub_reads() -> str:
    kinds = all_kinds().values()
    taken = ["partitions", *(kind.read_by_grub for kind in kinds if kind.read_by_grub)]
    refused = [f"no {kind.label}" for kind in reversed(kinds) if not kind.read_by_grub]
    return f"it reads {', '.join(taken[:-1])} and {taken[-1]}; {', '.join(refused)}"
