"""The layout as the installed system's /etc/fstab."""

from __future__ import annotations

from builder.disk.model import FileSystem, Layout


def fstab(layout: Layout) -> str:
    """Return /etc/fstab as Anaconda writes it (blivet's FSTab), without the hour of the build."""
    lines = [
        "", "#", "# /etc/fstab", "# Created by ccis from the image's kickstart", "#",
        "# Accessible filesystems, by reference, are maintained under '/dev/disk/'.",
        "# See man pages fstab(5), findfs(8), mount(8) and/or blkid(8) for more info.", "#",
        "# After editing this file, run 'systemctl daemon-reload' to update systemd",
        "# units generated from this file.", "#",
    ]
    swaps = [part for part in layout.partitions if part.fstype == "swap"]
    for part in (*layout.mounted, *swaps):
        point = part.mountpoint or "none"
        kind = "vfat" if part.fstype == "efi" else part.fstype
        dump, check = _checks(part)
        lines.append(
            f"{f'UUID={part.fs_uuid}':<23} {point:<23} {kind:<7} {part.fstab_options:<15} "
            f"{dump} {check}"
        )
    return "\n".join(lines) + "\n"


def _checks(part: FileSystem) -> tuple[int, int]:
    """Return fstab's last two numbers: xfs, btrfs and swap are never checked at boot."""
    if part.fstype in ("ext2", "ext3", "ext4"):
        return 1, 1 if part.mountpoint == "/" else 2
    return (0, 2) if part.fstype in ("vfat", "efi") else (0, 0)
