"""Proofs on partitions, file systems, fstab and the BIOS boot loader."""

from __future__ import annotations

from specs.kinds.disk import VOLUME, BiosBoot, Filesystem, Fstab, PartitionTable
from validate.disk import BIOS_BOOT, PURPOSES, DiskFacts, FileSystem
from validate.fstab import LINES_MAX, VIRTUAL, Line
from validate.registry import Finding, proves, verdict
from validate.view import View

_NO_DISK = Finding(None, "not a disk image", "")
_BOOT_CODE_BYTES = 440
_SIGNATURE = b"\x55\xaa"


@proves(PartitionTable)
def partition_table(check: PartitionTable, view: View) -> Finding:
    """Compare the table's kind, the partitions' types, and what lies last."""
    disk = view.disk
    if disk is None:
        return _NO_DISK
    wrong = [] if disk.scheme == check.scheme else [f"the table is {disk.scheme}"]
    types = {one.type_guid for one in disk.partitions}
    wrong += [f"no {purpose} partition" for purpose in check.purposes
              if PURPOSES[purpose] not in types]
    root = disk.mounted.get("/")
    in_order = sorted(disk.partitions, key=lambda one: one.start_bytes)
    if check.root_last and root and in_order and in_order[-1].device not in _under(root):
        on = " and ".join(_under(root))
        wrong.append(f"root is on {on}, but {in_order[-1].device} lies behind it")
    expected = f"{check.scheme} with {', '.join(check.purposes) or 'any partitions'}"
    return verdict(
        wrong, f"{disk.scheme}, {len(disk.partitions)} partitions",
        expected + (", root last" if check.root_last else ""),
    )


def _under(one: FileSystem) -> tuple[str, ...]:
    """Return the partitions that a file system is on."""
    return one.partitions or (one.device,)


@proves(Filesystem)
def filesystem(check: Filesystem, view: View) -> Finding:
    """Compare the type and label of what is mounted somewhere."""
    if view.disk is None:
        return _NO_DISK
    expected = f"{' or '.join(check.types)} at {check.mountpoint}"
    expected += f", labelled {check.label}" if check.label else ""
    one = view.disk.mounted.get(check.mountpoint)
    if one is None:
        return Finding(False, f"nothing is mounted at {check.mountpoint}", expected)
    good = one.type in check.types and check.label in (None, one.label)
    return Finding(good, f"{one.type} {one.label}".strip(), expected)


@proves(Fstab)
def fstab(check: Fstab, view: View) -> Finding:
    """Find each line's file system on the disk."""
    if view.disk is None:
        return _NO_DISK
    lines = [line for line in view.fstab if line.type not in VIRTUAL and line.tag != "none"]
    wrong = [f"more than {LINES_MAX} lines"] if len(view.fstab) > LINES_MAX else []
    wrong += view.disk.mount_faults
    wrong += [fault for line in lines if (fault := _fault(line, check, view.disk))]
    if not any(line.mountpoint == "/" for line in lines):
        wrong.append("no line for /")
    expected = f"{' or '.join(check.by)} of file systems that are on the disk"
    return verdict(wrong, f"{len(lines)} lines, each found", expected)


def _fault(line: Line, check: Fstab, disk: DiskFacts) -> str | None:
    """Return what is wrong with a line of fstab, None when nothing is."""
    if line.source.startswith("/") and not line.source.startswith("/dev/"):
        return None  # a file or folder inside the image: a bind mount or a swap file
    there = next((one for one in disk.filesystems if one.is_named(line.source)), None)
    # What is named by a volume's own name is found wherever the disk is: /dev/mapper says so.
    way = line.tag or (VOLUME if there or line.source.startswith("/dev/mapper/") else "")
    if way not in check.by:
        return f"{line.mountpoint} is mounted by {line.source}"
    if there is None:
        return f"{line.mountpoint}: no {line.source} on the disk"
    if line.type not in (there.type, "auto"):
        return f"{line.mountpoint} is {there.type}, not {line.type}"
    missing = line.subvolume is not None and line.subvolume not in ("", *there.subvolumes)
    return f"{line.mountpoint}: no subvolume {line.subvolume} on the disk" if missing else None


@proves(BiosBoot)
def bios_boot(check: BiosBoot, view: View) -> Finding:
    """Look for boot code in sector 0 and for something in the place that it loads."""
    disk = view.disk
    if disk is None:
        return _NO_DISK
    wrong = []
    if not any(disk.boot_sector[:_BOOT_CODE_BYTES]):
        wrong.append("sector 0 holds no code")
    if disk.boot_sector[510:512] != _SIGNATURE:
        wrong.append("sector 0 has no boot signature")
    if disk.scheme == "gpt" and not any(one.type_guid == BIOS_BOOT for one in disk.partitions):
        wrong.append("there is no BIOS boot partition")
    if not any(disk.boot_area):
        wrong.append("what the code loads is empty")
    return verdict(wrong, "code in sector 0 and behind it", "an embedded BIOS boot loader")
