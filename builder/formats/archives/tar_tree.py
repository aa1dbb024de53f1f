"""A root tree as a tar stream: the same bytes for the same tree, compressed on its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from builder.formats.streams.compressors import Compressor
from builder.formats.streams.pipe import pipe
from host.beneath.root import Root
from host.progress import Progress
from host.run import run

ALWAYS_EMPTY = ("dev", "proc", "run", "sys")
"""Folders whose content a container's engine or the kernel provides."""

KERNEL = ("boot", "lib/modules", "usr/lib/modules")
"""What a tree has that was made to boot by itself, of no use on another machine's kernel."""

_OPTIONS = (
    "--format=posix", "--sort=name",
    # Names would be those of this host's accounts. Plain --acls is left out for the same reason:
    # GNU tar writes an ACL with names; as the attribute system.posix_acl_access it has numbers.
    "--numeric-owner", "--xattrs", "--xattrs-include=*",
    # A label means something only under the policy it was made for. What runs a container labels
    # its files itself (container_file_t), and labels of an installed system would lock it out;
    # osbuild's oci-archive packs with --no-selinux, too. Capabilities stay.
    "--xattrs-exclude=security.selinux",
    # The levelled time must not be undone by fractions of a second in an extended header.
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,exthdr.mtime={{@{epoch}}}"
    ",delete=atime,delete=ctime,delete=mtime",
    "--mtime=@{epoch}", "--clamp-mtime",
    # No --sparse: where a file's holes are depends on the file system it lies on, and GNU tar 1.34
    # writes its process id into the name of such a member. Runs of zeros compress to nothing.
    "--anchored", "--wildcards", "--wildcards-match-slash",
)


def command(
    tree: Path, epoch: int, *, below: str = ".", leave_empty: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> list[str]:
    """Return the command that writes the tree to standard output.

    epoch: a later time of a file becomes this one. below: what the names start with.
    leave_empty: folders of the tree that come without content, beside ALWAYS_EMPTY.
    leave_out: paths of the tree that do not come at all.
    """
    empty = (*ALWAYS_EMPTY, *leave_empty)
    # The targets of hard links are names in the archive, those of symbolic links are not.
    renamed = [] if below == "." else [f"--transform=flags=rhS;s,^\\.,{below},"]
    return [
        "tar", "--create", "--file=-", f"--directory={tree}",
        *(option.format(epoch=epoch) for option in _OPTIONS), *renamed,
        *(f"--exclude=./{path}/*" for path in empty),
        *(f"--exclude=./{path}" for path in leave_out), ".",
    ]


def write(
    tree: Path, destination: int, compressor: Compressor | None, epoch: int, *,
    head: bytes = b"", below: str = ".", leave_empty: Sequence[str] = (),
    leave_out: Sequence[str] = (), on_piece: Callable[[bytes], None] = lambda piece: None,
    progress: Progress, step: str,
) -> None:
    """Write the tree as a tar archive to an open descriptor, at its offset.

    compressor: None for a plain archive. head: members that come first (tools/members.py).
    on_piece: sees the archive before it is compressed. step: whose progress, of 100, it is.
    The other parameters are those of command().
    Raises ProgramError, HostError or OSError.
    """
    total_bytes = max(1, _size_bytes(tree))
    done_bytes = 0

    def count(piece: bytes) -> None:
        nonlocal done_bytes
        done_bytes += len(piece)
        progress.advance(step, min(99.0, 100 * done_bytes / total_bytes))
        on_piece(piece)

    pipe(
        command(tree, epoch, below=below, leave_empty=leave_empty, leave_out=leave_out),
        compressor.command() if compressor else [], destination, head=head, on_piece=count,
    )


def write_file(
    tree: Path, destination: Path, compressor: Compressor | None, epoch: int, *,
    head: bytes = b"", below: str = ".", leave_empty: Sequence[str] = (),
    leave_out: Sequence[str] = (), progress: Progress, step: str,
) -> None:
    """Write the tree as a tar archive into a new file; parameters and errors: see write()."""
    with destination.open("wb") as stream:
        write(
            tree, stream.fileno(), compressor, epoch, head=head, below=below,
            leave_empty=leave_empty, leave_out=leave_out, progress=progress, step=step,
        )


def identity(compressor: Compressor | None) -> dict[str, str]:
    """Return the options of tar and of the compressor, and both versions."""
    own = {"tar": " ".join((*_OPTIONS, *ALWAYS_EMPTY)), "tar version": _version()}
    return {**own, **(compressor.identity() if compressor else {})}


def _size_bytes(tree: Path) -> int:
    """Return about how long the archive will be: contents and headers, hard links once each."""
    return sum(512 + found.status.st_size // found.status.st_nlink
               for found in Root(tree).walk() if not found.is_folder)


@cache
def _version() -> str:
    return run(["tar", "--version"]).stdout.splitlines()[0]
