"""Disks that are full: how it is found out, and what is said."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from host.errors import CcisError, HostError, ProgramError, from_os_error

# A disk with less than this left is taken to be the cause of an otherwise nameless I/O error: a
# single request, such as for the log of an xfs, can be for 64 MiB.
_SCARCE_BYTES = 64 << 20
_NOTHING_BYTES = 1 << 20


def is_scarce(destination: Path) -> bool:
    """Tell whether the file system that holds the image is as good as full."""
    disk = os.statvfs(destination.parent)
    return disk.f_bavail * disk.f_frsize < _SCARCE_BYTES


def full_disk_error(
    destination: Path | None, doing: str = "writing the disk image",
) -> HostError:
    """Return the error that says there is no space for a file, and what to do about it.

    destination: None where it is not known. doing: what was being done.
    """
    where = [str(destination)] if destination else []
    return from_os_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *where), doing)


def for_want_of_room(error: CcisError | OSError, folder: Path, doing: str) -> HostError | None:
    """Return the error of a full disk when that is why something failed, None when it is not.

    error: what was raised, whatever it took itself for. folder: where the work was writing, before
    anything in it is removed. doing: what was being done.
    """
    words, texts = os.strerror(errno.ENOSPC), []
    each: BaseException | None = error
    while each is not None:
        texts += [str(each), *(each.tail if isinstance(each, ProgramError) else ())]
        each = each.__cause__
    disk = os.statvfs(folder)
    has_nothing = disk.f_bfree * disk.f_frsize < _NOTHING_BYTES
    if not has_nothing and not (is_scarce(folder) and any(words in text for text in texts)):
        return None
    if isinstance(error, HostError) and error.remedy and not isinstance(error, ProgramError):
        return None  # it says so itself
    found = full_disk_error(folder, doing)
    if words not in str(error):
        found.add_note(f"because of that: {error}")
    return found


def says_full(error: ProgramError | OSError) -> bool:
    """Tell whether an error says that a disk is full."""
    if isinstance(error, ProgramError):
        return any(os.strerror(errno.ENOSPC) in line for line in error.tail)
    return error.errno == errno.ENOSPC
