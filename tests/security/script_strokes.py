"""What a script may do to its tree between two steps: at any path, or at a folder on the way to it.

As a script in its root would: nothing here follows a link, so no stroke by itself leaves the tree.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builder.tree.bounds import LEVELS_MAX
from host.beneath.remove import release, remove_at

HUGE_BYTES = 1 << 36
"""More than any step takes, and all of it a hole."""

ODD_NAMES = (b"line\nbreak", b"\x1b[2Jescape", b"not-utf8-\xff\xfe", b"n" * 255, b"-rf", b" ",
             b"*", b"$(id)", b"'\"\\", "\u202eright to left".encode(), b"cr\r.conf")
_SET_FLAGS, _IMMUTABLE = 0x40086602, 0x10  # <linux/fs.h>, chattr(1)


@dataclass(frozen=True)
class Spot:
    """Where a stroke goes: a name in an open folder of the tree.

    inside: the same as a path. outside: the path of the host's that is like it.
    """

    folder: int
    name: str
    inside: str
    outside: Path

    @property
    def path(self) -> str:
        """A path of the host's that leads there, as long as the folder is open."""
        return f"/proc/self/fd/{self.folder}/{self.name}"

    def link(self, target: str) -> None:
        """Put a link there."""
        self.clear()
        os.symlink(target, self.name, dir_fd=self.folder)

    def node(self, mode: int, device: int = 0) -> None:
        """Put a FIFO or device there."""
        self.clear()
        os.mknod(self.name, mode | 0o666, device, dir_fd=self.folder)

    def file(self, content: bytes, size_bytes: int | None = None) -> None:
        """Put a regular file there."""
        self.clear()
        with os.fdopen(os.open(self.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644,
                               dir_fd=self.folder), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.ftruncate(stream.fileno(), len(content) if size_bytes is None else size_bytes)

    def clear(self) -> None:
        """Remove what is there, and let something be made there."""
        release(self.folder)
        remove_at(self.folder, self.name)


def strike(
    root: Path, victim: Path, inside: str, shape: str, made: Callable[[Path, str], None],
) -> None:
    """Do a stroke at a path of a tree; folders on the way are made of whatever they are.

    victim: a folder of the host's with a like path in it. made: called for a FIFO, socket or
    device, with a path that leads to it for now, and its path in the tree.
    """
    *above, name = PurePosixPath(inside).parts[1:]
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in above:
            down = _entered(here, part)
            os.close(here)
            here = down
        STROKES[shape](Spot(here, name, inside, victim / inside.lstrip("/")))
        with suppress(FileNotFoundError):
            mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                made(Path(f"/proc/self/fd/{here}/{name}"), inside)
    finally:
        os.close(here)


def _entered(folder: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError:
        release(folder)
        remove_at(folder, name)
        os.mkdir(name, 0o755, dir_fd=folder)
        return os.open(name, flags, dir_fd=folder)


def _socket(spot: Spot) -> None:
    spot.clear()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(spot.path)


def _loop(spot: Spot) -> None:
    spot.link(f"{spot.name}.other")
    remove_at(spot.folder, f"{spot.name}.other")
    os.symlink(spot.name, f"{spot.name}.other", dir_fd=spot.folder)


def _folder(spot: Spot) -> None:
    spot.clear()
    os.mkdir(spot.name, 0o755, dir_fd=spot.folder)
    os.mkdir(f"{spot.name}/in", 0o755, dir_fd=spot.folder)


def _nest(name: str, levels: int) -> Callable[[Spot], None]:
    def nest(spot: Spot) -> None:
        spot.clear()
        os.mkdir(spot.name, dir_fd=spot.folder)
        here = os.open(spot.name, os.O_RDONLY, dir_fd=spot.folder)
        for _ in range(levels):
            os.mkdir(name, dir_fd=here)
            down = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = down
        os.close(here)
    return nest


def _odd(spot: Spot) -> None:
    """A folder full of odd names: files, folders, links out."""
    spot.clear()
    os.mkdir(spot.name, 0o755, dir_fd=spot.folder)
    here = os.open(spot.name, os.O_RDONLY, dir_fd=spot.folder)
    try:
        for number, name in enumerate(ODD_NAMES):
            if number % 3 == 0:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
            elif number % 3 == 1:
                os.symlink(spot.outside, name, dir_fd=here)
            else:
                os.mkdir(name, dir_fd=here)
    finally:
        os.close(here)


def _odd_neighbours(spot: Spot) -> None:
    """Beside what is there, odd names with the same ending, so that patterns find them."""
    ending = os.fsencode(PurePosixPath(spot.name).suffix)
    release(spot.folder)
    for number, name in enumerate(ODD_NAMES):
        odd = os.fsdecode(name[:255 - len(ending)] + ending)
        remove_at(spot.folder, odd)
        if number % 2:
            os.symlink(spot.outside, odd, dir_fd=spot.folder)
        else:
            os.close(os.open(odd, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=spot.folder))


def _immutable(spot: Spot) -> None:
    with suppress(OSError):  # nothing there, a link, or a file system without flags
        opened = os.open(spot.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK,
                         dir_fd=spot.folder)
        try:
            fcntl.ioctl(opened, _SET_FLAGS, struct.pack("i", _IMMUTABLE))
        finally:
            os.close(opened)


def _no_rights(spot: Spot) -> None:
    with suppress(OSError):  # nothing there, or a link
        if not stat.S_ISLNK(os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False).st_mode):
            Path(spot.path).chmod(0)


STROKES: dict[str, Callable[[Spot], None]] = {
    "nothing": lambda spot: spot.clear(),
    "link out": lambda spot: spot.link(str(spot.outside)),
    "link out and up": lambda spot: spot.link("../" * 40 + str(spot.outside).lstrip("/")),
    "link out through /proc": lambda spot: spot.link(f"/proc/self/root{spot.outside}"),
    "link to the FIFO": lambda spot: spot.link(str(_top(spot) / "fifo")),
    "link to the secret": lambda spot: spot.link(str(_top(spot) / "secret")),
    "link to nothing outside": lambda spot: spot.link(str(_top(spot) / "new/name")),
    "link to a device": lambda spot: spot.link("/dev/zero"),
    "link to itself": lambda spot: spot.link(spot.name),
    "link to the top": lambda spot: spot.link("/"),
    "link to the accounts": lambda spot: spot.link("/etc/passwd"),
    "loop": _loop,
    "fifo": lambda spot: spot.node(stat.S_IFIFO),
    "socket": _socket,
    "character device": lambda spot: spot.node(stat.S_IFCHR, os.makedev(1, 5)),
    # Nobody has a disk of this number: no test may write to one, not even by mistake.
    "block device": lambda spot: spot.node(stat.S_IFBLK, os.makedev(4000, 7)),
    "folder": _folder,
    "deep": _nest("d", LEVELS_MAX + 10),
    "long": _nest("n" * 250, 13),
    "odd names": _odd,
    "odd names beside": _odd_neighbours,
    "empty": lambda spot: spot.file(b""),
    "huge": lambda spot: spot.file(b"x", HUGE_BYTES),
    "noise": lambda spot: spot.file(bytes(range(256)) * 20),
    "one long line": lambda spot: spot.file(b":" * 70_000),
    "immutable": _immutable,
    "no rights": _no_rights,
}


def _top(spot: Spot) -> Path:
    return spot.outside.parents[len(PurePosixPath(spot.inside).parts) - 2]
