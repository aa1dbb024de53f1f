"""The raw image file in the making: there whole after the block, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.disk.model import Layout
from host.errors import HostError, ProgramError, from_os_error

# A disk with less than this left is taken to be the cause of an otherwise nameless I/O error: a
# single request, such as for the log of an xfs, can be for 64 MiB.
_SCARCE_BYTES = 64 << 20


@contextmanager
def image_file(layout: Layout, destination: Path) -> Iterator[None]:
    """Make the sparse file for the block; a failure in it removes the file and is explained."""
    try:
        with destination.open("xb") as stream:
            stream.truncate(layout.disk_size_bytes)
    except OSError as error:
        raise from_os_error(error, f"making the disk image {destination}") from error
    try:
        yield
    except BaseException as error:
        explained = _explain(error, destination)
        destination.unlink(missing_ok=True)
        if explained is error:
            raise
        raise explained from error


def is_scarce(destination: Path) -> bool:
    """Tell whether the file system that holds the image is as good as full."""
    disk = os.statvfs(destination.parent)
    return disk.f_bavail * disk.f_frsize < _SCARCE_BYTES


def full_disk_error(destination: Path, doing: str = "writing the disk image") -> HostError:
    """Return the error that says there is no space for a file, and what to do about it."""
    return from_os_error(
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(destination)),
        doing,
    )


def _explain(error: BaseException, destination: Path) -> BaseException:
    """Find the full disk behind a failure: below a file system it shows as an I/O error."""
    if isinstance(error, OSError | ProgramError) and is_scarce(destination):
        return full_disk_error(destination)
    if isinstance(error, OSError):
        return from_os_error(error, "writing the disk image")
    return error
