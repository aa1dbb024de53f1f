"""The engine without a virtual machine: writes each file system at its offset of the image."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from builder.disk import mkfs
from builder.disk.embed import Patch, write_patches
from builder.disk.image_file import image_file
from builder.disk.loop import CONTROL
from builder.disk.model import Layout
from builder.disk.parts import Partition
from builder.disk.populate import populate
from builder.disk.table import SFDISK, sfdisk_script
from builder.disk.versions import tool_versions
from builder.disk.views import check_mountpoints, view
from builder.disk.volumes.registry import kind_of
from builder.tree.marks import NO_MARKS, Marks, below
from host import cost
from host.errors import HostError
from host.mounts import mounted
from host.progress import Progress
from host.run import run

name = "direct"
rank = 1
suits = "the layout is of plain partitions, and this host allows it"

_TOOLS = {
    "ext2": ("mke2fs", "debugfs"), "ext3": ("mke2fs", "debugfs"), "ext4": ("mke2fs", "debugfs"),
    "vfat": ("mkfs.vfat", "mmd", "mcopy"), "efi": ("mkfs.vfat", "mmd", "mcopy"),
    "xfs": ("mkfs.xfs",), "btrfs": ("mkfs.btrfs",),
}


def unfit(layout: Layout) -> str | None:
    """Return why this host cannot make this layout without a virtual machine, or None."""
    if layout.stack:
        return f"the layout has {kind_of(layout.stack[0]).title}"
    if os.geteuid() != 0:
        return "it needs root"
    for program in ("sfdisk", *_needed(layout)):
        if shutil.which(program) is None:
            return f"it needs {program}, which is not installed"
    kernel = sorted({part.fstype for part in layout.partitions if part.fstype in mkfs.KERNEL})
    if kernel and not CONTROL.exists():
        return f"{kernel[0]} needs a loop device, and this host has no {CONTROL}"
    for fstype in kernel:
        if not _kernel_knows(fstype):
            return f"this host's kernel cannot mount {fstype}"
    return None


def write(
    layout: Layout, tree: Path, patches: Sequence[Patch], destination: Path,
    source_date_epoch: int, progress: Progress, marks: Marks = NO_MARKS,
) -> None:
    """Write the disk image; the contract is that of builder.disk.engine.Engine.

    Call host.mounts.private_mounts() once before.
    """
    parts = [part for part in layout.mounted if isinstance(part, Partition)]
    if layout.stack:
        raise HostError(f"the direct engine cannot write this disk: {unfit(layout)}")
    check_mountpoints(tree, layout.mountpoints)
    with image_file(layout, destination):
        run([*SFDISK, destination], stdin=sfdisk_script(layout))
        write_patches((*patches, *_swap_areas(layout)), destination)
        parent = destination.parent
        with (
            tempfile.TemporaryDirectory(prefix=".disk-", dir=parent) as scratch,
            mounted("tmpfs", Path(scratch), "tmpfs", ["mode=0700"]),
            ThreadPoolExecutor(max_workers=len(parts)) as pool,
        ):
            futures: dict[Future[float], Partition] = {}
            for part in parts:
                folder = Path(scratch, str(part.number))
                folder.mkdir()
                futures[pool.submit(
                    _fill, layout, part, tree, destination, folder, source_date_epoch, marks,
                )] = part
            for done, future in enumerate(as_completed(futures), start=1):
                cost.add(future.result())
                progress.advance("disk", done, f"{futures[future].mountpoint} is done")


def identity() -> dict[str, str]:
    """Return the versions of the programs whose output is in the image, of those there are."""
    return dict(tool_versions())


def _fill(
    layout: Layout, part: Partition, tree: Path, image: Path, scratch: Path, epoch: int,
    marks: Marks,
) -> float:
    """Fill one file system, in a thread of its own; return the processor time that it took."""
    point = part.mountpoint or ""
    with cost.measured() as spent, view(tree, point, layout.below(point), scratch) as shown:
        populate(part, image, shown, scratch, epoch, below(marks, point, layout.below(point)))
    return spent.cpu_s


def _swap_areas(layout: Layout) -> list[Patch]:
    """Return the swap areas, which are a header and nothing else."""
    return [
        Patch(part.start_bytes, mkfs.swap_area(part))
        for part in layout.partitions if part.fstype == "swap"
    ]


def _needed(layout: Layout) -> list[str]:
    return sorted({tool for part in layout.partitions for tool in _TOOLS.get(part.fstype, ())})


def _kernel_knows(fstype: str) -> bool:
    if f"\t{fstype}\n" in Path("/proc/filesystems").read_text():
        return True
    try:
        return run(["modprobe", "--dry-run", fstype], check=False).status == 0
    except HostError:
        return False
