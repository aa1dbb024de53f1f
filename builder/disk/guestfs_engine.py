"""The engine that makes and fills everything inside the libguestfs appliance, without root."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from builder.disk import mkfs
from builder.disk.embed import Patch, write_patches
from builder.disk.holes import punch_zeroes
from builder.disk.image_file import full_disk_error, image_file, is_scarce
from builder.disk.inside import Inside, inside
from builder.disk.model import Layout, Partition, Volume
from builder.disk.stack import is_encrypted, make_stack, missing, stop_stack
from builder.disk.table import SFDISK, sfdisk_script
from builder.disk.tar_stream import tar_stream
from builder.disk.versions import tool_versions
from builder.disk.views import check_mountpoints
from host.appliance import Drive, open_appliance
from host.errors import HostError, InputError
from host.progress import Progress
from host.run import run

name = "guestfs"

_TIMEOUT_S = 1800.0


def unfit(layout: Layout) -> str | None:
    """Return why this host cannot make this layout in an appliance, or None."""
    if importlib.util.find_spec("guestfs") is None:
        return "it needs libguestfs's Python binding, which is not installed"
    for program in ("tar", "sfdisk"):
        if shutil.which(program) is None:
            return f"it needs {program}, which is not installed"
    return missing(layout.stack)


def write(
    layout: Layout, tree: Path, patches: Sequence[Patch], destination: Path,
    source_date_epoch: int, progress: Progress,
) -> None:
    """Write the disk image; the contract is that of builder.disk.engine.Engine.

    The table and the boot sectors are bytes at places that are known, so they go into the file
    beforehand: written inside, they would have udev take all partitions away for a moment and
    announce them again, whenever it gets to it.
    """
    check_mountpoints(tree, layout.mountpoints)
    with image_file(layout, destination):
        run([*SFDISK, destination], stdin=sfdisk_script(layout))
        write_patches(patches, destination)
        progress.advance("disk", 0, "starting the appliance")
        with (
            _explained(destination),
            open_appliance(
                [Drive(destination, "raw")], readonly=False, timeout_s=_TIMEOUT_S,
            ) as g,
        ):
            here = inside(g)
            make_stack(here, layout.stack, source_date_epoch)
            _make_all(here, layout, source_date_epoch)
            for done, part in enumerate(layout.mounted):
                progress.advance("disk", done, f"filling {part.mountpoint}")
                _fill(here, layout, part, tree, source_date_epoch)
            g.umount_all()
            stop_stack(here, layout.stack)
        # What was written as zeroes, such as the journals, becomes holes.
        punch_zeroes(destination)


def identity() -> dict[str, str]:
    """Return the versions of the programs whose output is in the image."""
    found = tool_versions()
    with suppress(ImportError):
        guestfs = importlib.import_module("guestfs")
        version = guestfs.GuestFS(python_return_dict=True).version()
        found["libguestfs"] = ".".join(str(version[key]) for key in ("major", "minor", "release"))
    return found


def _make_all(here: Inside, layout: Layout, epoch: int) -> None:
    """Make all file systems but those that the stack has made, with subvolumes and all."""
    made = {device for item in layout.stack if item.kind == "btrfs" for device in item.devices}
    for part in layout.filesystems:
        if part.device not in made:
            _make(here, part, epoch, zeroed=not is_encrypted(layout.stack, part.device))


def _make(here: Inside, part: Partition | Volume, epoch: int, *, zeroed: bool) -> None:
    """Make a file system with the very options of the direct engine.

    libguestfs's own calls know too few of them (no UUID for xfs, no serial number for FAT, no
    hash seed for ext4), and giving an xfs its UUID later sets a flag that GRUB must know.
    """
    device = here.device(part.device)
    if part.fstype in mkfs.EXT:
        here.run(mkfs.mke2fs(part, device, options=(), tree=None, zeroed=zeroed),
                 {"SOURCE_DATE_EPOCH": str(epoch), "E2FSPROGS_FAKE_TIME": str(epoch)})
    elif part.fstype in mkfs.FAT:
        here.run(mkfs.mkfs_vfat(part, device, offset_bytes=None))
    elif part.fstype in mkfs.KERNEL:
        here.run(mkfs.mkfs_kernel(part, device))
    elif part.fstype == "swap":
        label = {"label": part.label} if part.label else {}
        here.g.mkswap(here.mountable(part.device), uuid=part.fs_uuid, **label)


def _fill(
    here: Inside, layout: Layout, part: Partition | Volume, tree: Path, epoch: int,
) -> None:
    """Mount a file system where it belongs and unpack its part of the tree there.

    The folder to mount on came with the outer file system, with its right owner and label.
    """
    g, point = here.g, part.mountpoint or ""
    fat = part.fstype in mkfs.FAT
    options = "umask=0022,quiet,tz=UTC" if fat else ",".join(mkfs.mount_options(part))
    g.mount_options(options, here.mountable(part.device), point)
    with tar_stream(
        tree / point.lstrip("/"), [inner.removeprefix(point.rstrip("/") + "/")
                                   for inner in layout.below(point)],
        plain_epoch=mkfs.fat_time(epoch) if fat else None,
    ) as source:
        try:
            g.tar_in(source, point, xattrs=not fat, acls=not fat)
        except RuntimeError as error:
            # tar says "Wrote only …" when a file is cut short, the kernel's words for the next one.
            if any(word in str(error) for word in ("No space left on device", "Wrote only")):
                place = "partition" if isinstance(part, Partition) else "volume"
                raise InputError(
                    f"the {place} for {point} is too small for what goes there",
                    where=part.where, why=f"it has {part.size_bytes >> 20} MiB",
                    remedy="raise its --size in the kickstart (and disk_size of the image)",
                ) from error
            raise


@contextmanager
def _explained(destination: Path) -> Iterator[None]:
    """Turn libguestfs's RuntimeError into an error that says what was done to which file."""
    try:
        yield
    except RuntimeError as error:
        if is_scarce(destination):
            raise full_disk_error(destination) from error
        raise HostError(
            "writing the disk in the libguestfs appliance failed", why=str(error),
            remedy="try --engine direct, or see `ccis doctor`",
        ) from error
