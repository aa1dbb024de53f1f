"""The raw image file in the making: there whole after the block, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.disk.model import Layout
from host.errors import ProgramError, from_os_error
from host.space import full_disk_error, is_scarce


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


def _explain(error: BaseException, destination: Path) -> BaseException:
    """Find the full disk behind a failure: below a file system it shows as an I/O error."""
    if isinstance(error, OSError | ProgramError) and is_scarce(destination):
        return full_disk_error(destination)
    if isinstance(error, OSError):
        return from_os_error(error, "writing the disk image")
    return error
