"""Proofs on the partition tables, partitions and what fstab makes of them."""

from __future__ import annotations

from itertools import pairwise

from specs.kinds.disk import (
    FstabOnly,
    GptSound,
    NoSwap,
    PartitionAlignment,
    PartitionSize,
    ProtectiveMbr,
    RootOn,
)
from validate.disk import PURPOSES
from validate.gpt import header_at
from validate.registry import Finding, proves, verdict
from validate.view import View

_SECTOR_BYTES = 512
_SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
_NO_DISK = Finding(None, "not a disk", "")
_SUBVOLUME = ("btrfs",)


@proves(GptSound)
def gpt_sound(check: GptSound, view: View) -> Finding:
    """Check both headers and tables, and that the second is in the last sector."""
    expected = "two whole tables, the second in the last sector"
    if view.disk is None or view.read_disk is None or view.disk.scheme != "gpt":
        return Finding(None, "no GPT", expected)
    last = view.disk.size_bytes // _SECTOR_BYTES - 1
    first, second = header_at(view.read_disk, 1), header_at(view.read_disk, last)
    wrong = [one.fault for one in (first, second) if one.fault]
    if not wrong:
        if first.other_lba != last:
            wrong.append(f"the second header is said to be in {first.other_lba}, not {last}")
        if first.table != second.table or first.disk_guid != second.disk_guid:
            wrong.append("the two tables differ")
    return verdict(wrong, f"two tables, the second in sector {last}", expected)


@proves(ProtectiveMbr)
def protective_mbr(check: ProtectiveMbr, view: View) -> Finding:
    """Look at the four entries of sector 0."""
    expected = "one partition 0xEE from sector 1 over the whole disk"
    if view.disk is None or view.disk.scheme != "gpt":
        return Finding(None, "no GPT", expected)
    sector = view.disk.boot_sector
    entries = [sector[446 + 16 * each:462 + 16 * each] for each in range(4)]
    used = [one for one in entries if len(one) == 16 and one[4]]
    if len(used) != 1 or used[0][4] != 0xEE:
        return Finding(False, f"types {', '.join(f'{one[4]:#x}' for one in used)}", expected)
    start = int.from_bytes(used[0][8:12], "little")
    size = int.from_bytes(used[0][12:16], "little")
    wanted = view.disk.size_bytes // _SECTOR_BYTES - 1
    good = start == 1 and size in (min(wanted, 0xFFFFFFFF), 0xFFFFFFFF)
    return Finding(good, f"from sector {start}, {size} sectors", expected)


@proves(PartitionAlignment)
def partition_alignment(check: PartitionAlignment, view: View) -> Finding:
    """Divide, and compare neighbours."""
    if view.disk is None:
        return _NO_DISK
    parts = sorted(view.disk.partitions, key=lambda one: one.start_bytes)
    wrong = [f"partition {one.number} begins at {one.start_bytes}" for one in parts
             if one.start_bytes % check.multiple_bytes]
    wrong += [f"partitions {one.number} and {other.number} overlap"
              for one, other in pairwise(parts)
              if one.start_bytes + one.size_bytes > other.start_bytes]
    return verdict(wrong, f"{len(parts)} partitions", f"multiples of {check.multiple_bytes}")


@proves(PartitionSize)
def partition_size(check: PartitionSize, view: View) -> Finding:
    """Find the partition by its type."""
    expected = f"at least {check.min_bytes} bytes"
    if view.disk is None:
        return _NO_DISK
    found = [one for one in view.disk.partitions if one.type_guid == PURPOSES[check.purpose]]
    if not found:
        return Finding(None, "no such partition", expected)
    size = min(one.size_bytes for one in found)
    return Finding(size >= check.min_bytes, f"{size} bytes", expected)


@proves(FstabOnly)
def fstab_only(check: FstabOnly, view: View) -> Finding:
    """Compare mount points and options."""
    wrong = []
    for line in view.fstab:
        if line.type in _SUBVOLUME and line.subvolume is not None:
            continue
        if line.mountpoint not in check.mountpoints:
            wrong.append(f"{line.source} at {line.mountpoint}")
        elif (place := view.tree.resolve(line.mountpoint)) is None or not place.is_folder:
            wrong.append(f"{line.mountpoint} is no folder")
        wrong += [f"{line.mountpoint} without {option}"
                  for option in check.options.get(line.mountpoint, ())
                  if option not in line.options]
    return verdict(wrong, ", ".join(line.mountpoint for line in view.fstab),
                   "nothing but " + ", ".join(check.mountpoints))


@proves(NoSwap)
def no_swap(check: NoSwap, view: View) -> Finding:
    """Look at the table, fstab and zram's generator."""
    wrong = []
    if view.disk is not None:
        wrong = [f"partition {one.number} is swap" for one in view.disk.partitions
                 if one.type_guid == _SWAP]
        wrong += [f"{one.device} is swap" for one in view.disk.filesystems if one.type == "swap"]
    wrong += [f"fstab: {line.source}" for line in view.fstab if line.type == "swap"]
    wrong += [path for path in ("/etc/systemd/zram-generator.conf",
                                "/usr/lib/systemd/zram-generator.conf")
              if (view.text(path) or "").strip()]
    return verdict(wrong, "none", "no swap")


@proves(RootOn)
def root_on(check: RootOn, view: View) -> Finding:
    """Look at what the root stands on."""
    if view.disk is None:
        return _NO_DISK
    root = view.disk.mounted.get("/")
    kinds = list(root.kinds) if root else ["nothing"]
    wrong = [kind for kind in kinds if kind not in check.kinds]
    return verdict(wrong, "a partition" if not kinds else ", ".join(kinds),
                   "a partition" + "".join(f" or {kind}" for kind in check.kinds))
