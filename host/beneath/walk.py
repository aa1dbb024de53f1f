"""Goes through a tree by descriptors: however deep it is, and whatever its names say."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
"""The errors that mean that there is nothing at a path."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that walk() came by, good until the next step of the walk.

    path: inside the tree. folder: descriptor of the folder that it is in. status: of lstat(2).
    """

    path: str
    name: str
    folder: int
    status: os.stat_result

    @property
    def is_file(self) -> bool:
        """A regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_folder(self) -> bool:
        """A folder."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        """A symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)

    def attributes(self) -> dict[str, bytes]:
        """Return its extended attributes by name, in the order of the names."""
        place = f"/proc/self/fd/{self.folder}/{self.name}"
        return {name: os.getxattr(place, name, follow_symlinks=False)
                for name in sorted(os.listxattr(place, follow_symlinks=False))}

    def set_time(self, time_ns: int) -> None:
        """Set the times of access and change, in nanoseconds; of a link, its own."""
        os.utime(self.name, ns=(time_ns, time_ns), dir_fd=self.folder, follow_symlinks=False)


def kind(mode: int) -> str:
    """Return what a file's type is called, such as "a FIFO"."""
    names = {
        stat.S_IFREG: "a regular file", stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    return names.get(stat.S_IFMT(mode), "something unknown")


def walk(top: int, prefix: str) -> Iterator[Found]:
    """Yield everything below a folder, each folder before what is in it, in sorted order.

    top: the folder's descriptor. prefix: its path inside the tree, without a slash at the end.
    Nothing recurses, and one descriptor is held, however deep it is.
    """
    here = os.dup(top)
    try:
        levels = [(identity(here), prefix, _listed(here))]
        while levels:
            _, path, waiting = levels[-1]
            if not waiting:
                levels.pop()
                if levels:
                    above = up(here, levels[-1][0])
                    os.close(here)
                    here = above
                continue
            name = waiting.pop()
            status = look(here, name)
            if status is None:
                continue
            inside = f"{path}/{name}"
            yield Found(inside, name, here, status)
            if stat.S_ISDIR(status.st_mode):
                try:
                    down = os.open(
                        name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                        dir_fd=here)
                except FileNotFoundError:
                    continue
                os.close(here)
                here = down
                levels.append((identity(here), inside, _listed(here)))
    finally:
        os.close(here)


def _listed(folder: int) -> list[str]:
    """Return the names in a folder, the first one last, as a stack."""
    return sorted(os.listdir(folder), reverse=True)


def up(here: int, expected: tuple[int, int]) -> int:
    """Return a descriptor of the folder above, which must be the one that was come from."""
    above = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
    if identity(above) != expected:
        os.close(above)
        raise OSError(errno.ESTALE, "a folder was moved while it was read")
    return above


def identity(descriptor: int) -> tuple[int, int]:
    """Return device and inode of what a descriptor is: the same for the same file."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def look(folder: int, name: str) -> os.stat_result | None:
    """Return what is known of a name in a folder, links not followed; None: nothing is there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in NOT_THERE:
            return None
        raise
