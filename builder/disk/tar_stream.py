"""A part of the root tree as a tar stream that keeps everything, for libguestfs to unpack."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from host.errors import CcisError
from host.run import run


@contextmanager
def tar_stream(
    folder: Path, leave_empty: Sequence[str], *, plain_epoch: int | None = None,
) -> Iterator[str]:
    """Yield a name from which the tar archive of `folder` can be read once, in this process.

    leave_empty: paths below the folder that come as empty folders. plain_epoch: for FAT: all
    files belong to root, have this time and no attributes.

    When the reader succeeds and tar does not, tar's error is raised at the end of the block.
    """
    reading, writing = os.pipe()
    failure: list[CcisError] = []

    def work() -> None:
        try:
            run(_command(folder, leave_empty, plain_epoch, writing), pass_fds=(writing,))
        except CcisError as error:
            failure.append(error)
        finally:
            os.close(writing)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield f"/dev/fd/{reading}"
    except BaseException:
        with suppress(OSError):
            os.close(reading)  # tar ends with a broken pipe, which is not the news
        worker.join()
        raise
    os.close(reading)
    worker.join()
    if failure:
        raise failure[0]


def _command(
    folder: Path, leave_empty: Sequence[str], plain_epoch: int | None, descriptor: int,
) -> list[str]:
    kept = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--sparse"]
    if plain_epoch is not None:
        kept = [
            "--owner=0", "--group=0", "--mode=u=rwX,go=rX", "--numeric-owner",
            f"--mtime=@{plain_epoch}",
        ]
    return [
        "tar", "--create", f"--file=/dev/fd/{descriptor}", f"--directory={folder}",
        "--format=posix", "--pax-option=delete=atime,delete=ctime", "--sort=name",
        # What is mounted inside the tree stays out, its mount points stay in.
        "--one-file-system", *kept, "--anchored", "--wildcards", "--wildcards-match-slash",
        *(f"--exclude=./{_literally(path)}/*" for path in leave_empty), ".",
    ]


def _literally(path: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]\\" else character for character in path)
