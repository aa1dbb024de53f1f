"""squashfs of a root tree: all processors, all attributes, and the same bytes each time."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from host.beneath.root import Root
from host.errors import InputError
from host.run import Completed, run

# Measured on 78 MB of /usr (processor time, size): zstd 3 0.4 s 30.8 MB; zstd 9 1.4 s 27.8 MB;
# zstd 15 9.9 s 26.1 MB; xz 15.7 s 24.2 MB. A running system reads zstd several times as fast as xz.
# Blocks of 1 MiB would save 4 % and make every small read unpack a whole one.
COMPRESSION = ("-comp", "zstd", "-Xcompression-level", "9", "-b", "256K")
XZ = ("-comp", "xz", "-b", "256K")
"""For kernels without CONFIG_SQUASHFS_ZSTD."""

_ALWAYS = ("-noappend", "-no-progress", "-quiet", "-no-exports", "-xattrs", "-reproducible")


def make(
    tree: Path, destination: Path, epoch: int, *, exclude: Sequence[str] = (),
    keep_selinux: bool = True, compression: Sequence[str] = COMPRESSION,
) -> None:
    """Pack `tree` into a squashfs file.

    epoch: when the file system says it was made; a later time of a file becomes this one
    (mksquashfs(1), SOURCE_DATE_EPOCH). Times are not levelled any further: Python compares a
    module's time with the one noted in its .pyc.
    exclude: what stays out, as paths below the tree with wildcards: `boot/*` leaves an empty
    folder, `boot` none. keep_selinux: whether labels come along; capabilities always do. POSIX
    ACLs never do, squashfs has none. compression: COMPRESSION, or XZ.
    Owners, hard links and devices are kept; links are not followed. Raises ProgramError when
    mksquashfs fails, InputError when it can't take all of the tree.
    """
    clock = {"SOURCE_DATE_EPOCH": str(epoch)}
    words = [*_ALWAYS, *compression]
    left_out = ["-wildcards", "-e", *exclude] if exclude else []
    if keep_selinux:
        _check(run(["mksquashfs", tree, destination, *words, *left_out], env=clock))
        return
    # mksquashfs before 4.6 can't leave out a single attribute, tar can.
    tar = [
        "tar", "--create", f"--directory={tree}", "--format=posix", "--sort=name",
        "--numeric-owner", "--xattrs", "--xattrs-include=*", "--xattrs-exclude=security.selinux",
        "--pax-option=delete=atime,delete=ctime", f"--mtime=@{epoch}", "--clamp-mtime",
        "--anchored", "--wildcards", "--no-wildcards-match-slash",
        *(f"--exclude=./{pattern}" for pattern in exclude), ".",
    ]
    with Root(tree).folder() as folder:
        top = os.fstat(folder)  # mksquashfs makes a root of its own for an archive
    root = ["-root-mode", f"{top.st_mode & 0o7777:o}", "-root-uid", str(top.st_uid),
            "-root-gid", str(top.st_gid), "-root-time", str(min(int(top.st_mtime), epoch))]
    squash = ["mksquashfs", "-", str(destination), "-tar", *words, *root]
    _check(run(["bash", "-c", _PIPE, "pipe", str(len(tar)), *tar, *squash], env=clock))


_LEFT_OUT = f" because {os.strerror(errno.ENAMETOOLONG)}, ignoring"


def _check(done: Completed) -> None:
    """Raise InputError when mksquashfs has left something out: it says so and ends well."""
    if said := [line for line in done.stderr.splitlines() if line.endswith(_LEFT_OUT)]:
        raise InputError("a path in the tree is too long for mksquashfs", why=said[0][-200:],
                         remedy="remove it in %post")


# Both ends must have ended well: $1 words of the one, then those of the other.
_PIPE = 'set -o pipefail; n=$1; shift; "${@:1:n}" | "${@:n+1}"'


@cache
def _version() -> str:
    said = run(["mksquashfs", "-version"], check=False).stdout
    return said.splitlines()[0] if said else "unknown"


def identity() -> Mapping[str, str]:
    """Return the options and the version of mksquashfs."""
    return {"squashfs": " ".join((*_ALWAYS, *COMPRESSION)), "mksquashfs": _version()}
