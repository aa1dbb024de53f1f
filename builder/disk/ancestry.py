"""What a file system stands on: the stack's items below it, and what the kernel must be told."""

from __future__ import annotations

from builder.disk.model import (
    Array,
    BtrfsVolume,
    Encryption,
    FileSystem,
    Layout,
    Partition,
    StackItem,
    Volume,
    VolumeGroup,
)


def below(layout: Layout, place: Partition | Volume) -> list[tuple[StackItem, str]]:
    """Return what a file system stands on, the nearest first, each with the device it stands on."""
    found: list[tuple[StackItem, str]] = []
    if place.fstype == "btrfs":
        for item in layout.stack:
            if isinstance(item, BtrfsVolume) and item.uuid == place.fs_uuid:
                found.append((item, place.device))
                devices = item.devices
                break
        else:
            devices = (place.device,)
    else:
        devices = (place.device,)
    for device in devices:
        found += _makers(layout, device)
    return found


def source(place: Partition | Volume) -> str:
    """Return what fstab and root= call a file system.

    blivet's fstab_spec: the path for device-mapper's devices (LVM, LUKS), else the UUID.
    """
    if place.fstype != "btrfs" and place.device.startswith("/dev/mapper/"):
        return place.device
    return f"UUID={place.fs_uuid}"


def kernel_arguments(layout: Layout) -> list[str]:
    """Return what dracut must be told to find the root: resume=, rd.luks.uuid= and the like.

    As Anaconda's BootLoader._set_storage_boot_args has it: for /, /boot, /usr and swap; the
    largest swap is for resume= (on x86; it does no harm elsewhere).
    """
    swaps = [part for part in layout.filesystems if part.fstype == "swap"]
    places = [layout.root, *swaps]
    places += [place for point in ("/boot", "/usr") if (place := layout.at(point))]
    found: list[str] = []
    if swaps:
        found.append(f"resume={source(max(swaps, key=lambda part: part.size_bytes))}")
    for place in places:
        for item, device in below(layout, place):
            found += _argument(item, device)
    return list(dict.fromkeys(found))


def root_arguments(layout: Layout) -> list[str]:
    """Return root= and, for a btrfs subvolume, rootflags=."""
    root = layout.root
    flags = [f"rootflags=subvol={root.subvolume}"] if root.subvolume else []
    return [f"root={source(root)}", *flags]


def is_encrypted(layout: Layout, place: Partition | Volume) -> bool:
    """Say whether there is LUKS below a file system."""
    return any(isinstance(item, Encryption) for item, _ in below(layout, place))


def swaps_and_mounts(layout: Layout) -> list[Partition | Volume]:
    """Return what fstab lists: outer folders before inner ones, then the swaps."""
    return [*layout.mounted, *(part for part in layout.filesystems if part.fstype == "swap")]


def fstab_options(layout: Layout, place: Partition | Volume) -> str:
    """Return a file system's mount options; systemd must wait for ever for a passphrase."""
    options = place.fstab_options
    return f"{options},x-systemd.device-timeout=0" if is_encrypted(layout, place) else options


def checks(part: FileSystem) -> tuple[int, int]:
    """Return fstab's last two numbers: xfs, btrfs and swap are never checked at boot."""
    if part.fstype in ("ext2", "ext3", "ext4"):
        return 1, 1 if part.mountpoint == "/" else 2
    return (0, 2) if part.fstype in ("vfat", "efi") else (0, 0)


def _makers(layout: Layout, device: str) -> list[tuple[StackItem, str]]:
    for item in layout.stack:
        if isinstance(item, Encryption) and device == f"/dev/mapper/{item.name}":
            return [(item, device), *_makers(layout, item.device)]
        if (isinstance(item, Array) and device == f"/dev/md/{item.name}") or (
            isinstance(item, VolumeGroup)
            and any(device == item.device_of(volume.name) for volume in item.volumes)
        ):
            return [(item, device),
                    *(maker for inner in item.devices for maker in _makers(layout, inner))]
    return []


def _argument(item: StackItem, device: str) -> list[str]:
    """Return dracut's argument for one item (dracut.cmdline(7))."""
    if isinstance(item, Encryption):
        return [f"rd.luks.uuid={item.name}"]
    if isinstance(item, Array):
        return [f"rd.md.uuid={item.uuid}"]
    if isinstance(item, VolumeGroup):
        return [f"rd.lvm.lv={item.name}/{volume.name}" for volume in item.volumes
                if device == item.device_of(volume.name)]
    return []
