"""The layout as the installed system's files: /etc/fstab, /etc/crypttab, /etc/mdadm.conf."""

from __future__ import annotations

from builder.disk.ancestry import checks, fstab_options, source, swaps_and_mounts
from builder.disk.model import Array, Encryption, Layout


def fstab(layout: Layout) -> str:
    """Return /etc/fstab as Anaconda writes it (blivet's FSTab), without the hour of the build."""
    lines = [
        "", "#", "# /etc/fstab", "# Created by ccis from the image's kickstart", "#",
        "# Accessible filesystems, by reference, are maintained under '/dev/disk/'.",
        "# See man pages fstab(5), findfs(8), mount(8) and/or blkid(8) for more info.", "#",
        "# After editing this file, run 'systemctl daemon-reload' to update systemd",
        "# units generated from this file.", "#",
    ]
    for part in swaps_and_mounts(layout):
        point = part.mountpoint or "none"
        kind = "vfat" if part.fstype == "efi" else part.fstype
        dump, check = checks(part)
        lines.append(
            f"{source(part):<23} {point:<23} {kind:<7} {fstab_options(layout, part):<15} "
            f"{dump} {check}"
        )
    return "\n".join(lines) + "\n"


def crypttab(layout: Layout) -> str | None:
    """Return /etc/crypttab (crypttab(5)), None when nothing is encrypted; blivet's CryptTab."""
    lines = [f"{item.name} UUID={item.uuid} none discard\n"
             for item in layout.stack if isinstance(item, Encryption)]
    return "".join(lines) or None


def mdadm_conf(layout: Layout) -> str | None:
    """Return /etc/mdadm.conf (mdadm.conf(5)), None without RAID; as Anaconda writes it."""
    arrays = [item for item in layout.stack if isinstance(item, Array)]
    if not arrays:
        return None
    lines = ["# mdadm.conf written out by ccis", "MAILADDR root", "AUTO +imsm +1.x -all"]
    lines += [
        f"ARRAY /dev/md/{item.name} level={item.level} "
        f"num-devices={len(item.devices) - item.spares} UUID={item.uuid}" for item in arrays
    ]
    return "\n".join(lines) + "\n"
