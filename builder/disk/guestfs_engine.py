"""The engine that does all of it inside the libguestfs appliance: nothing on the host, no root."""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from builder.disk import mkfs
from builder.disk.embed import Patch
from builder.disk.holes import punch_zeroes
from builder.disk.image_file import full_disk_error, image_file, is_scarce
from builder.disk.model import Layout, Partition
from builder.disk.table import SFDISK, sfdisk_script
from builder.disk.tar_stream import tar_stream
from builder.disk.versions import tool_versions
from builder.disk.views import check_mountpoints
from host.appliance import Drive, GuestFS, open_appliance
from host.errors import HostError, InputError
from host.progress import Progress

name = "guestfs"

_DISK = "/dev/sda"
_TIMEOUT_S = 1800.0


def unfit(layout: Layout) -> str | None:
    """Return why this host cannot make this layout in an appliance, or None."""
    if layout.stack:
        return f"it cannot make {layout.stack[0].kind} yet"
    if importlib.util.find_spec("guestfs") is None:
        return "it needs libguestfs's Python binding, which is not installed"
    if shutil.which("tar") is None:
        return "it needs tar, which is not installed"
    return None


def write(
    layout: Layout, tree: Path, patches: Sequence[Patch], destination: Path,
    source_date_epoch: int, progress: Progress,
) -> None:
    """Write the disk image; the contract is that of builder.disk.engine.Engine."""
    check_mountpoints(tree, layout.mountpoints)
    with image_file(layout, destination):
        progress.advance("disk", 0, "starting the appliance")
        with (
            _explained(destination),
            open_appliance(
                [Drive(destination, "raw")], readonly=False, timeout_s=_TIMEOUT_S,
            ) as g,
        ):
            device = _kernels_name(g)
            _shell(g, [*SFDISK, device], stdin=sfdisk_script(layout))
            _shell(g, ["udevadm", "settle"])
            for patch in patches:
                g.pwrite_device(_DISK, patch.data, patch.offset_bytes)
            for part in layout.partitions:
                _make(g, part, f"{device}{part.number}", source_date_epoch)
            parts = [part for part in layout.mounted if isinstance(part, Partition)]
            for done, part in enumerate(parts, start=1):
                progress.advance("disk", done - 1, f"filling {part.mountpoint}")
                _fill(g, layout, part, tree, source_date_epoch)
            g.umount_all()
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


def _kernels_name(g: GuestFS) -> str:
    """Return what the appliance's kernel calls the first drive.

    libguestfs's calls translate /dev/sda, the shell doesn't; and the kernel, which looks for
    disks on several processors at once, may have called the appliance's own disk so.
    """
    found: str = g.debug("sh", ["readlink -f /dev/disk/by-path/*-scsi-0:0:0:0"])
    return found.strip()


def _make(g: GuestFS, part: Partition, device: str, epoch: int) -> None:
    """Make a file system with the very options of the direct engine.

    libguestfs's own calls know too few of them (no UUID for xfs, no serial number for FAT, no
    hash seed for ext4), and giving an xfs its UUID later sets a flag that GRUB must know.
    """
    if part.fstype in mkfs.EXT:
        _shell(g, mkfs.mke2fs(part, device, options=(), tree=None),
               {"SOURCE_DATE_EPOCH": str(epoch), "E2FSPROGS_FAKE_TIME": str(epoch)})
    elif part.fstype in mkfs.FAT:
        _shell(g, mkfs.mkfs_vfat(part, device, offset_bytes=None))
    elif part.fstype in mkfs.KERNEL:
        _shell(g, mkfs.mkfs_kernel(part, device))
    elif part.fstype == "swap":
        label = {"label": part.label} if part.label else {}
        g.mkswap(f"{_DISK}{part.number}", uuid=part.fs_uuid, **label)


def _fill(g: GuestFS, layout: Layout, part: Partition, tree: Path, epoch: int) -> None:
    """Mount a file system where it belongs and unpack its part of the tree there.

    The folder to mount on came with the outer file system, with its right owner and label.
    """
    point = part.mountpoint or ""
    fat = part.fstype in mkfs.FAT
    options = "umask=0022,quiet,tz=UTC" if fat else "noatime"
    g.mount_options(options, f"{_DISK}{part.number}", point)
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
                raise InputError(
                    f"the partition for {point} is too small for what goes there",
                    where=part.where, why=f"it has {part.size_bytes >> 20} MiB",
                    remedy="raise its --size in the kickstart (and disk_size of the image)",
                ) from error
            raise


def _shell(
    g: GuestFS, argv: Sequence[str], env: dict[str, str] | None = None, *, stdin: str = "",
) -> None:
    """Run a program of the appliance; its shell takes one line (guestfs_debug, "sh")."""
    words = [f"{key}={shlex.quote(value)}" for key, value in (env or {}).items()]
    line = " ".join([*words, shlex.join(argv)])
    if stdin:
        line = f"printf %s {shlex.quote(stdin)} | {line}"
    g.debug("sh", [line])


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
