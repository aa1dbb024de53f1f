"""Makes one file system at its place in the image file and fills it, without a virtual machine."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from builder.disk import ext_corrections, mkfs
from builder.disk.fat_files import fill_fat
from builder.disk.holes import punch_zeroes, xfs_log_range
from builder.disk.loop import loop_device
from builder.disk.parts import Partition
from builder.tree.marks import NO_MARKS, Marks, give
from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.errors import InputError, ProgramError
from host.mounts import mounted, shield
from host.run import run
from host.space import full_disk_error, is_scarce

# Printed by mke2fs, cp and mcopy when the file system being filled is full – not the host's disk.
_FULL = {
    "mke2fs": ("Could not allocate", "No free space in", "not enough space"),
    "cp": ("No space left on device",), "mcopy": ("Disk full",), "mmd": ("Disk full",),
}
_PATH_MAX = 4096  # bytes of a path that the kernel takes, with the zero at its end
_MS_RDONLY, _MS_REMOUNT = 1, 32
_WRITE_OUT_EVERY_S = 0.2
_libc = ctypes.CDLL(None, use_errno=True)


def populate(
    part: Partition, image: Path, view: Path, scratch: Path, epoch: int, marks: Marks = NO_MARKS,
) -> None:
    """Make the file system of `part` inside `image` and copy `view` into it.

    view: a folder with exactly what belongs there, as builder.disk.views.view() shows it.
    scratch: an empty folder for mounting.
    epoch: SOURCE_DATE_EPOCH, for what a file system notes about its own making.
    marks: flags of its files, by their paths in `view`.

    Raises InputError when the partition is too small for its content or can't hold its names,
    HostError or OSError for the rest; the caller removes the image.
    """
    try:
        if part.fstype in mkfs.EXT:
            _ext(part, image, view, scratch, epoch, marks)
        elif part.fstype in mkfs.FAT:
            _fat(part, image, view, epoch)
        else:
            _kernel(part, image, view, scratch, marks)
    except ProgramError as error:
        if any(word in line for line in error.tail for word in _FULL.get(error.argv[0], ())):
            raise InputError(
                f"the partition for {part.mountpoint} is too small for what goes there",
                where=part.where, why=f"it has {part.size_bytes >> 20} MiB",
                remedy="raise its --size in the kickstart (and --disk-size, or disk_size of "
                       "the image)",
            ) from error
        if error.argv[0] == "cp" and (path := _too_long(view, scratch / "target")):
            raise InputError(
                f"a path in the tree is too long to be copied to {part.mountpoint}",
                where=path[:200], why=f"it has {len(os.fsencode(path))} bytes",
                remedy="remove it in %post",
            ) from error
        raise


def _too_long(*tops: Path) -> str | None:
    """Return a path in the first folder that can't be named in one of them, if there is one."""
    room = _PATH_MAX - max(len(os.fsencode(top)) for top in tops) - len("/.\0")
    return next((found.path for found in Root(tops[0]).walk()
                 if len(os.fsencode(found.path)) > room), None)


def _ext(
    part: Partition, image: Path, view: Path, scratch: Path, epoch: int, marks: Marks,
) -> None:
    # e2fsprogs before 1.47.1 knows only the second name.
    clock = {"SOURCE_DATE_EPOCH": str(epoch), "E2FSPROGS_FAKE_TIME": str(epoch)}
    offset = [f"offset={part.start_bytes}"]
    found = ext_corrections.entries(view)
    run(mkfs.mke2fs(part, str(image), options=offset, tree=str(view)), env=clock)
    values = scratch / "values"
    values.mkdir()
    target = f"{image}?offset={part.start_bytes}"
    ext_corrections.correct(target, view, found, values, clock, marks)
    remove_tree(values)


def _fat(part: Partition, image: Path, view: Path, epoch: int) -> None:
    environment = {
        "SOURCE_DATE_EPOCH": str(mkfs.fat_time(epoch)), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1",
    }
    run(mkfs.mkfs_vfat(part, str(image), offset_bytes=part.start_bytes), env=environment)
    fill_fat(view, f"{image}@@{part.start_bytes}", environment)


def _kernel(part: Partition, image: Path, view: Path, scratch: Path, marks: Marks) -> None:
    """Have the kernel write the file system: xfs and btrfs cannot be filled any other way.

    (`mkfs.xfs -p FOLDER` does it with extended attributes since xfsprogs 6.17; Debian 12 and
    CentOS Stream 10 have older ones.)
    """
    target = scratch / "target"
    target.mkdir()
    with loop_device(image, part.start_bytes, part.size_bytes) as device:
        run(mkfs.mkfs_kernel(part, str(device)))
        # nouuid: a concurrent build of the same image may have its twin mounted.
        options = [*mkfs.mount_options(part), *(["nouuid"] if part.fstype == "xfs" else [])]
        with mounted(device, target, part.fstype, options):
            # Where names differ in case alone, cp would write through a link that it just made.
            shield(target, read_only=False)
            _fail_at_once(device)
            with _settled(target, image):
                copy_tree(view, target)
                give(Root(target), marks)
    target.rmdir()
    if part.fstype == "xfs":
        punch_zeroes(image, *xfs_log_range(image, part.start_bytes))


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder's content with owners, modes, times, links, holes and all attributes.

    Not `cp -a`, which is silent about attributes that it could not keep.
    """
    run(["cp", "-dR", "--preserve=mode,ownership,timestamps,links,xattr", f"{source}/.", target])


def _fail_at_once(device: Path) -> None:
    """Have xfs give up when metadata can't be written (xfs(5) of the kernel, error handling).

    It would else retry for ever when the host's disk is full, and nothing could end that: not
    even kill -9.
    """
    for kind in Path("/sys/fs/xfs", device.name, "error/metadata").glob("*/max_retries"):
        with contextlib.suppress(OSError):  # /sys is read-only in some containers
            kind.write_text("0")


@contextlib.contextmanager
def _settled(mountpoint: Path, image: Path) -> Iterator[None]:
    """Write out, during the block and behind it, all of a file system; find out whether it worked.

    Buffered writes succeed even when the disk below is full; unmounting would lose them without
    a word. syncfs(2) tells of lost data, a read-only remount of lost metadata.
    """
    # Opened first: a descriptor is told of the errors since then, each descriptor for itself.
    descriptor = os.open(mountpoint, os.O_RDONLY)
    try:
        with _written_out_meanwhile(mountpoint):
            yield
        _check_call(_libc.syncfs, descriptor)
    finally:
        os.close(descriptor)
    # What is left to write now is metadata, always less than what counts as scarce; that some
    # of it was lost while unmounting is not always told.
    _check_space(image)
    _check_call(_libc.mount, None, os.fsencode(mountpoint), None, _MS_REMOUNT | _MS_RDONLY, None)
    _check_space(image)


@contextlib.contextmanager
def _written_out_meanwhile(mountpoint: Path) -> Iterator[None]:
    """Have the kernel write out what has come so far, again and again, while the block copies.

    The kernel itself would begin only after five seconds, when the copy is long done: writing
    takes the other processor meanwhile (1.0 s instead of 1.2 s for 390 MB on two).
    """
    ended = threading.Event()
    descriptor = os.open(mountpoint, os.O_RDONLY)

    def work() -> None:
        while not ended.wait(_WRITE_OUT_EVERY_S):
            _libc.syncfs(descriptor)  # its errors are for the other descriptor as well

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()
        os.close(descriptor)


def _check_space(image: Path) -> None:
    if is_scarce(image):
        raise full_disk_error(image)


def _check_call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        code = ctypes.get_errno() or errno.EIO
        raise OSError(code, os.strerror(code))
