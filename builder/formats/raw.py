"""raw: the disk as it is, byte for byte, with holes for what is empty."""

from __future__ import annotations

from pathlib import Path

from builder.disk.image_file import full_disk_error
from host.errors import ProgramError, from_os_error
from host.files import link_or_copy
from host.progress import Progress

name = "raw"
extension = "raw"


def convert(raw: Path, destination: Path, progress: Progress) -> None:
    """Give the disk a second name; only on another file system is it copied, holes kept."""
    try:
        link_or_copy(raw, destination)
    except BaseException as error:
        destination.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise from_os_error(error, f"writing {destination}") from error
        if isinstance(error, ProgramError) and "No space left" in "".join(error.tail):
            raise full_disk_error(destination, "copying the disk image") from error
        raise


def identity() -> dict[str, str]:
    """Return nothing: there is nothing that could differ."""
    return {}
