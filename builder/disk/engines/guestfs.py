"""The engine that makes and fills everything inside the libguestfs appliance, without root."""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from string import ascii_lowercase

from builder.disk import mkfs
from builder.disk.embed import Patch, write_patches
from builder.disk.fat_files import check_fat
from builder.disk.holes import punch_zeroes
from builder.disk.image_file import image_file
from builder.disk.inside import Inside, inside
from builder.disk.model import Layout
from builder.disk.parts import Partition, Volume
from builder.disk.stack import is_encrypted, make_stack, missing, stop_stack
from builder.disk.table import SFDISK, sfdisk_script
from builder.disk.tar_file import unpack_command, write_tar
from builder.disk.versions import stack_versions, tool_versions
from builder.disk.views import check_mountpoints, mount_folder
from builder.disk.volumes.registry import kind_of
from builder.tree.marks import NO_MARKS, Marks, letters
from host.appliance import Drive, open_appliance
from host.errors import HostError, InputError
from host.progress import Progress
from host.run import run
from host.space import full_disk_error, is_scarce

name = "guestfs"
rank = 2
suits = "this host has the appliance"

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
    source_date_epoch: int, progress: Progress, marks: Marks = NO_MARKS,
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
        with (
            tempfile.TemporaryDirectory(prefix=".disk-", dir=destination.parent) as scratch,
            _explained(destination),
        ):
            progress.advance("disk", 0, "packing the tree")
            archives = [
                _pack(layout, part, tree, Path(scratch, label), source_date_epoch)
                for part, label in zip(layout.mounted, _labels(), strict=False)
            ]
            _write(layout, archives, destination, source_date_epoch, progress, marks)
        # What was written as zeroes, such as the journals, becomes holes.
        punch_zeroes(destination)


def _write(
    layout: Layout, archives: Sequence[Path], destination: Path, epoch: int, progress: Progress,
    marks: Marks,
) -> None:
    """Do what there is to do inside; archives: what belongs on each of layout.mounted."""
    progress.advance("disk", 0, "starting the appliance")
    drives = [Drive(destination, "raw"),
              *(Drive(archive, "raw", label=archive.name) for archive in archives)]
    with open_appliance(drives, readonly=False, timeout_s=_TIMEOUT_S) as g:
        here = inside(g)
        make_stack(here, layout.stack, epoch)
        _make_all(here, layout, epoch)
        for done, (part, archive) in enumerate(zip(layout.mounted, archives, strict=True)):
            progress.advance("disk", done, f"filling {part.mountpoint}")
            _fill(here, part, archive.name)
        _mark(here, marks)
        g.umount_all()
        stop_stack(here, layout.stack)


def _labels() -> Iterator[str]:
    """Yield names for drives: libguestfs takes none but letters."""
    return map("".join, product(ascii_lowercase, repeat=2))


def _pack(layout: Layout, part: Partition | Volume, tree: Path, archive: Path, epoch: int) -> Path:
    """Pack what belongs on a file system.

    It comes to the appliance as a drive: a stream through libguestfs's daemon (tar_in) takes an
    emulated processor twice the work (47 s against 26 s for 450 MB in 10,000 files).
    """
    point = part.mountpoint or ""
    inner = [below.removeprefix(point.rstrip("/") + "/") for below in layout.below(point)]
    fat = part.fstype in mkfs.FAT
    with mount_folder(tree, point) as folder:
        if fat:
            check_fat(Path(f"/proc/self/fd/{folder}"), [f"/{path}" for path in inner])
        write_tar(folder, inner, archive, plain_epoch=mkfs.fat_time(epoch) if fat else None)
    return archive


def identity() -> dict[str, str]:
    """Return the versions of the programs whose output is in the image."""
    found = {**tool_versions(), **stack_versions()}
    with suppress(ImportError):
        guestfs = importlib.import_module("guestfs")
        version = guestfs.GuestFS(python_return_dict=True).version()
        found["libguestfs"] = ".".join(str(version[key]) for key in ("major", "minor", "release"))
    return found


def _make_all(here: Inside, layout: Layout, epoch: int) -> None:
    """Make all file systems but those that the stack has made, with subvolumes and all."""
    for part in layout.filesystems:
        if not any(kind_of(item).is_content(item, part) for item in layout.stack):
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


def _fill(here: Inside, part: Partition | Volume, label: str) -> None:
    """Mount a file system where it belongs and unpack its part of the tree there.

    The folder to mount on came with the outer file system, with its right owner and label.
    label: of the drive with the archive.
    """
    point = part.mountpoint or ""
    fat = part.fstype in mkfs.FAT
    options = "umask=0022,quiet,tz=UTC" if fat else ",".join(mkfs.mount_options(part))
    here.g.mount_options(options, here.mountable(part.device), point)
    try:
        here.run(unpack_command(f"/dev/disk/guestfs/{label}", f"/sysroot{point}", plain=fat))
    except RuntimeError as error:
        # tar says "Wrote only …" when a file is cut short, the kernel's words for the next one.
        if any(word in str(error) for word in ("No space left on device", "Wrote only")):
            place = "partition" if isinstance(part, Partition) else "volume"
            raise InputError(
                f"the {place} for {point} is too small for what goes there",
                where=part.where, why=f"it has {part.size_bytes >> 20} MiB",
                remedy="raise its --size in the kickstart (and --disk-size, or disk_size of "
                       "the image)",
            ) from error
        raise


def _mark(here: Inside, marks: Marks) -> None:
    """Give files their flags, one at a time: a file system knows some of them only."""
    for path, flags in marks.items():
        place = shlex.quote(f"/sysroot{path}")
        for letter in letters(flags):
            here.run(["sh", "-c", f"[ -L {place} ] || ! [ -e {place} ] || "
                                  f"chattr +{letter} {place} 2>/dev/null || true"])


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
            remedy="see `ccis doctor`; plain partitions can be made with --engine direct as well",
        ) from error
