"""Stand-ins for programs that ask the kernel which file systems there are: the layout answers.

Inside, the tree is one file system of the host's, and of the disk there is its table. What scripts
want to know is what the installer would have mounted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from builder.disk.ancestry import swaps_and_mounts
from builder.disk.model import CONTAINERS, Layout
from builder.disk.parts import Partition, Volume
from builder.disk.volumes.registry import kind_of

# Device, place, type, options, UUID, label, PARTUUID, PARTLABEL, KiB, top: a row of the table. What
# is mounted of the kernel's own is in every installation.
_KERNEL = (("proc", "/proc", "proc"), ("sysfs", "/sys", "sysfs"), ("devtmpfs", "/dev", "devtmpfs"),
           ("tmpfs", "/run", "tmpfs"))
_OPTIONS = "rw,relatime"


def layout_shims(layout: Layout, places: Sequence[str] = ("",)) -> dict[str, str]:
    """Return the programs that answer for the disk to come, by name.

    places: where the tree is seen; the installer has it at /mnt/sysimage, itself beside it.
    """
    table = shlex.quote("\n".join("|".join(row) for row in _rows(layout, places)))
    return {name: text.replace("table=''", f"table={table}", 1) for name, text in _texts().items()}


@cache
def _texts() -> dict[str, str]:
    files = (Path(__file__).with_name("findmnt.sh"), Path(__file__).with_name("df.sh"),
             Path(__file__).with_name("blkid.sh"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def kernel_tables(layout: Layout) -> dict[str, str]:
    """Return what /proc/partitions and /proc/swaps say of the disk when it is in use (proc(5))."""
    lines = [f" 252        0 {layout.disk_size_bytes // 1024:>10} vda"]
    lines += [f" 252 {part.number:>8} {part.size_bytes // 1024:>10} vda{part.number}"
              for part in layout.partitions]
    found = [part for part in swaps_and_mounts(layout) if part.mountpoint is None]
    row = "{:<39} {:<15} {}\t\t0\t\t{}\n".format
    swaps = [row(swap.device, "partition", swap.size_bytes // 1024 - 4, priority)
             for priority, swap in zip(range(-2, -2 - len(found), -1), found, strict=True)]
    return {
        "/proc/partitions": "major minor  #blocks  name\n\n" + "\n".join(lines) + "\n",
        "/proc/swaps": "".join(["Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", *swaps]),
    }


def _rows(layout: Layout, places: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if places != ("",):
        yield "LiveOS_rootfs", "/", "overlay", _OPTIONS, "", "", "", "", "0", "/"
    for place in places:
        for part in layout.mounted:
            yield _row(layout, part, place + (part.mountpoint or "").rstrip("/") or "/")
        for device, point, fstype in _KERNEL:
            yield device, place + point, fstype, _OPTIONS, "", "", "", "", "0", "/"
    kind = "gpt" if layout.table == "gpt" else "dos"
    identity = layout.disk_uuid.removeprefix("0x").lower()
    yield "/dev/vda", "none", kind, "", identity, "", "", "", "0", "/"
    both: tuple[Partition | Volume, ...] = (*layout.partitions, *layout.volumes)
    for each in both:
        yield _row(layout, each, "none")
    named = {part.device for part in layout.volumes}
    for item in layout.stack:
        for device in kind_of(item).devices(item):
            fstype, uuid = _signature(layout, device)
            if fstype and device not in named:
                yield device, "none", fstype, "", uuid, "", "", "", "0", "/"


def _row(layout: Layout, part: Partition | Volume, place: str) -> tuple[str, ...]:
    fstype, uuid = {"efi": "vfat", "biosboot": "", "prepboot": "", "unused": ""}.get(
        part.fstype, part.fstype), part.fs_uuid or ""
    if part.fstype in CONTAINERS and part.fstype != "unused":
        fstype, uuid = _signature(layout, part.device)
    table_id = name = ""
    if isinstance(part, Partition):
        name = part.part_name or ""
        table_id = (part.part_uuid or "").lower() or (
            f"{layout.disk_uuid.removeprefix('0x').lower()}-{part.number:02x}")
    top = f"/{part.subvolume}" if part.subvolume else "/"
    options = _OPTIONS + (f",subvol={top}" if part.fstype == "btrfs" else "")
    words = (part.device, place, fstype, options, uuid, part.label or "", table_id, name,
             str(part.size_bytes // 1024), top)
    return tuple(word.replace("|", "_").replace("\n", "_") for word in words)


def _signature(layout: Layout, device: str) -> tuple[str, str]:
    """Return what blkid(8) says of a device that a volume stands on: its type and UUID."""
    for item in layout.stack:
        kind = kind_of(item)
        if device in kind.stands_on(item):
            return kind.member.signature, (
                str(getattr(item, "uuid", "")) if kind.member.has_id else "")
    return "", ""
