"""The layout as the installed system's files: /etc/fstab, and those of its volumes."""

from __future__ import annotations

from builder.disk.ancestry import checks, fstab_options, source, swaps_and_mounts
from builder.disk.model import Layout
from builder.disk.volume import File
from builder.disk.volumes.registry import all_kinds


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
    lines += [f"{'tmpfs':<23} {each.mountpoint:<23} {'tmpfs':<7} {each.fstab_options:<15} 0 0"
              for each in layout.memory]
    return "\n".join(lines) + "\n"


def volume_files(layout: Layout) -> list[File]:
    """Return what else names the disk: the files of its kinds of volumes, such as crypttab."""
    return [file for name, kind in all_kinds().items()
            if (items := [item for item in layout.stack if item.kind == name])
            for file in kind.files(items, layout)]
