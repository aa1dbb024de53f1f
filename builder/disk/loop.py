"""A loop device over a part of a file, which the kernel takes away when its last user has gone."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host.errors import HostError, from_os_error

CONTROL = Path("/dev/loop-control")
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LO_FLAGS_AUTOCLEAR = 4
_TRIES = 64


@contextmanager
def loop_device(file: Path, offset_bytes: int, size_bytes: int) -> Iterator[Path]:
    """Yield a block device that shows `size_bytes` of `file` from `offset_bytes` on.

    losetup(8) would leave the device behind if we were killed before mount(8) took it over. So
    LOOP_CONFIGURE is called here, with autoclear from the start: while the block runs, our own
    open descriptor keeps the device; when we end, however we end, the kernel frees it.

    Raises HostError when the host has no loop devices, none free, or allows none.
    """
    try:
        descriptor, device = _attach(file, offset_bytes, size_bytes)
    except OSError as error:
        raise _explained(error) from error
    try:
        _ignore_flushes(device)
        yield device
    finally:
        os.close(descriptor)


def _attach(file: Path, offset_bytes: int, size_bytes: int) -> tuple[int, Path]:
    backing = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        # struct loop_config of linux/loop.h: fd, block size, loop_info64, reserved.
        info = struct.pack(
            "=QQQQQIIII64s64s32sQQ", 0, 0, 0, offset_bytes, size_bytes, 0, 0, 0,
            _LO_FLAGS_AUTOCLEAR, os.fsencode(file)[:63], b"", b"", 0, 0,
        )
        config = struct.pack("=II", backing, 512) + info + bytes(64)
        for _ in range(_TRIES):
            number = _free_number()
            device = _node(number)
            descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(descriptor, _LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(descriptor)
                if error.errno != errno.EBUSY:  # another build was quicker: ask for the next one
                    raise
            else:
                return descriptor, device
        raise OSError(errno.EBUSY, "no free loop device", str(CONTROL))
    finally:
        os.close(backing)


def _free_number() -> int:
    control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
    finally:
        os.close(control)


def _node(number: int) -> Path:
    """Return the device's node, made by hand where no udev or devtmpfs does (in containers)."""
    device = Path(f"/dev/loop{number}")
    if not device.exists():
        with contextlib.suppress(FileExistsError):
            os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(7, number))
    return device


def _ignore_flushes(device: Path) -> None:
    """Have the block layer drop cache flushes: each would be an fsync of the whole image.

    The image is a cache entry in the making; who keeps it flushes it once, when it is whole.
    Where /sys is read-only, as in some containers, it only takes longer.
    """
    with contextlib.suppress(OSError):
        Path("/sys/block", device.name, "queue/write_cache").write_text("write through")


def _explained(error: OSError) -> HostError:
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return HostError(
            "this host has no loop devices", where=str(error.filename), why=error.strerror,
            remedy="load the module (`modprobe loop`), or use --engine guestfs",
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return HostError(
            "loop devices are not allowed here", where=str(error.filename), why=error.strerror,
            remedy="run as root (in a container: --privileged), or use --engine guestfs",
        )
    return from_os_error(error, "attaching a loop device")
