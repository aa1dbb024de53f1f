"""A part of the root tree as a tar file that keeps everything, for the appliance to unpack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.errors import ProgramError
from host.run import run
from host.space import full_disk_error, is_scarce


def write_tar(
    folder: int, leave_empty: Sequence[str], archive: Path, *, plain_epoch: int | None = None,
) -> None:
    """Pack a folder into `archive`.

    folder: its descriptor, so that no link on the way to it counts; tar follows none below it.
    leave_empty: paths below the folder that come as empty folders. plain_epoch: for FAT: all
    files belong to root, have this time and no attributes.

    Raises HostError when the archive's disk is full or tar fails otherwise.
    """
    try:
        run(_command(folder, leave_empty, plain_epoch, archive), pass_fds=[folder])
    except ProgramError as error:
        if is_scarce(archive):
            raise full_disk_error(archive, "packing the root tree for the appliance") from error
        raise


def unpack_command(archive: str, folder: str, *, plain: bool) -> list[str]:
    """Return the command that unpacks such an archive; plain: without what a FAT can't keep."""
    kept = [] if plain else ["--xattrs", "--xattrs-include=*", "--acls"]
    return [
        # Read 1 MiB at a time: in an emulated machine each request has its price.
        "tar", "--extract", f"--file={archive}", "--blocking-factor=2048",
        f"--directory={folder}", "--numeric-owner", *kept,
    ]


def _command(
    folder: int, leave_empty: Sequence[str], plain_epoch: int | None, archive: Path,
) -> list[str]:
    kept = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--sparse"]
    if plain_epoch is not None:
        kept = [
            "--owner=0", "--group=0", "--mode=u=rwX,go=rX", "--numeric-owner",
            f"--mtime=@{plain_epoch}",
        ]
    return [
        "tar", "--create", f"--file={archive}", f"--directory=/proc/self/fd/{folder}",
        "--format=posix", "--pax-option=delete=atime,delete=ctime", "--sort=name",
        # What is mounted inside the tree stays out, its mount points stay in.
        "--one-file-system", *kept, "--anchored", "--wildcards", "--wildcards-match-slash",
        *(f"--exclude=./{_literally(path)}/*" for path in leave_empty), ".",
    ]


def _literally(path: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]\\" else character for character in path)
