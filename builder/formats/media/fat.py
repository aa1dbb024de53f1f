"""A small FAT image, as UEFI reads it from a CD: made of a few files, the same bytes each time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath

from builder.disk.mkfs import fat_time
from host.run import run

_MIB = 1 << 20
_SLACK_BYTES = 1 << 19  # both tables and the folders


def make(image: Path, files: Mapping[str, Path], epoch: int, serial: int, name: str) -> None:
    """Write a FAT image that is as large as its files want.

    files: by their path in it. epoch: the time of all. serial: the volume's number, 32 bits.
    name: its label, at most 11 characters. Raises ProgramError when a tool fails.
    """
    needed_bytes = sum(file.stat().st_size for file in files.values()) + _SLACK_BYTES
    with image.open("wb") as stream:
        stream.truncate(-(-needed_bytes // _MIB) * _MIB)
    environment = {"SOURCE_DATE_EPOCH": str(fat_time(epoch)), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}
    run(["mkfs.vfat", "--invariant", "-i", f"{serial:08x}", "-n", name, image], env=environment)
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    for folder in sorted(folders - {"."}):
        run(["mmd", "-i", image, f"::/{folder}"], env=environment)
    for path, file in sorted(files.items()):
        run(["mcopy", "-i", image, file, f"::/{path}"], env=environment)


@cache
def version() -> str:
    """Return the version of mtools; mkfs.vfat tells its own only while it works."""
    return run(["mtools", "--version"]).stdout.splitlines()[0]
