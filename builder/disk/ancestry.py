"""What a file system stands on: the stack's items below it, and what the kernel must be told."""

from __future__ import annotations

from builder.disk.model import Layout, StackItem
from builder.disk.parts import FileSystem, Partition, Volume
from builder.disk.volumes.registry import kind_of


def below(layout: Layout, place: Partition | Volume) -> list[tuple[StackItem, str]]:
    """Return what a file system stands on, the nearest first, each with the device it stands on."""
    own = [item for item in layout.stack if kind_of(item).is_content(item, place)][:1]
    found = [(item, place.device) for item in own]
    for device in kind_of(own[0]).stands_on(own[0]) if own else (place.device,):
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
            found += kind_of(item).kernel_arguments(item, device)
    return list(dict.fromkeys(found))


def root_arguments(layout: Layout) -> list[str]:
    """Return root= and, for a btrfs subvolume, rootflags=."""
    root = layout.root
    flags = [f"rootflags=subvol={root.subvolume}"] if root.subvolume else []
    return [f"root={source(root)}", *flags]


def is_encrypted(layout: Layout, place: Partition | Volume) -> bool:
    """Say whether somebody must give a passphrase before a file system can be mounted."""
    return any(kind_of(item).encrypts for item, _ in below(layout, place))


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
        kind = kind_of(item)
        if device in kind.devices(item):
            inner = (maker for each in kind.stands_on(item) for maker in _makers(layout, each))
            return [(item, device), *inner]
    return []
