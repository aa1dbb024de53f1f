"""The partition table: the script that sfdisk turns into the same bytes every time."""

from __future__ import annotations

from builder.disk.model import Layout
from builder.disk.parts import SECTOR_BYTES, Partition

SFDISK = ("sfdisk", "--quiet", "--wipe", "never", "--no-reread", "--no-tell-kernel")


def sfdisk_script(layout: Layout) -> str:
    """Return the table in sfdisk's own language (sfdisk(8), "Script files"), every id named.

    sfdisk makes up what it is not told, the GUIDs above all, so everything is told.
    """
    lines = [
        f"label: {'dos' if layout.table == 'msdos' else 'gpt'}",
        f"label-id: {layout.disk_uuid}", "unit: sectors", f"sector-size: {SECTOR_BYTES}",
    ]
    if layout.table == "gpt":
        # sfdisk would else keep the first 2048 sectors from use, which parted does not.
        lines += [
            "first-lba: 34", f"last-lba: {layout.disk_size_bytes // SECTOR_BYTES - 34}",
        ]
    lines.append("")
    for part in layout.partitions:
        words = [
            f"start={part.start_bytes // SECTOR_BYTES}", f"size={part.size_bytes // SECTOR_BYTES}",
            f"type={part.type_id}",
        ]
        if part.part_uuid:
            words.append(f"uuid={part.part_uuid}")
        if layout.table == "gpt":
            words += _gpt_words(part)
        if part.bootable:
            words.append("bootable")
        lines.append(f"{part.number} : " + ", ".join(words))
    return "\n".join(lines) + "\n"


def _gpt_words(part: Partition) -> list[str]:
    """Return a GPT partition's name and attributes; sfdisk has no escape for a quote."""
    name = part.part_name
    if name is None and part.fstype == "efi":
        name = "EFI System Partition"  # as Anaconda (parted) names it
    words = ['name="' + name.replace('"', "'") + '"'] if name else []
    return [*words, *([f'attrs="{part.attributes}"'] if part.attributes else [])]
