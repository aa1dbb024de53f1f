"""Where a sandbox's mounts go: real folders and files of the tree, never what a link leads to.

bubblewrap makes the mount points that are missing and follows the links of the tree on its way
there; an absolute one then starts at its own root, below which lies the host. So every place is
looked up here first, by descriptors, as the programs inside would look it up, mount by mount. What
is missing is made by us, and is gone again afterwards.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from host.beneath.openat2 import LINKS_MAX
from host.beneath.root import Root
from host.beneath.walk import identity, kind
from host.errors import InputError


class Places:
    """The places of a sandbox in the making. Each take() sees what the ones before it mounted."""

    def __init__(self, root: Path | None) -> None:
        """root: what is at /; None: an empty file system of its own."""
        self._mounts: dict[str, Root | None] = {"": Root(root) if root else None}
        self._writable = {""}
        self._made: list[tuple[Root, str, tuple[int, int]]] = []

    def take(
        self, wanted: str, source: Path | None, *, is_plain: bool = False,
        is_writable: bool = False, is_file: bool = False,
    ) -> str:
        """Return the path without links where something can be mounted, which is there by then.

        wanted: a path as programs inside name it. source: the host's file or folder that is to be
        mounted; None for a new file system, or a new file (is_file). is_plain: links on the way
        are an error. is_writable: mount points may be made in the source later.
        Raises InputError for a path that can't be used.
        """
        is_folder = source.is_dir() if source else not is_file
        path, status = self._lookup(wanted, is_plain)
        if status is not None and stat.S_ISDIR(status.st_mode) != is_folder:
            raise _unusable(wanted, f"is {kind(status.st_mode)}", is_folder)
        if status is None:
            self._make(path, wanted, is_folder)
        if is_folder:
            self._mounts[path.rstrip("/")] = Root(source) if source else None
            if is_writable:
                self._writable.add(path.rstrip("/"))
        return path

    def note(self, path: str, source: Path | None) -> None:
        """Say what is mounted at a path without making it; None: nothing that is kept."""
        self._mounts[path.rstrip("/")] = Root(source) if source else None

    def locate(self, wanted: str) -> tuple[Root, str] | None:
        """Return the tree that a path leads into, links followed, and the path in that tree.

        Nothing need be there. None: it leads to where nothing is kept.
        """
        path, _ = self._lookup(wanted, False)
        root, inside = self._below(path)
        return (root, inside) if root else None

    def check(self, wanted: str) -> None:
        """Raise InputError when a folder for a mount is there and is none."""
        _, status = self._lookup(wanted, True)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise _unusable(wanted, f"is {kind(status.st_mode)}", True)

    def tidy(self) -> None:
        """Remove the mount points that were made, as far as they are still ours and empty."""
        for root, inside, made in reversed(self._made):
            with suppress(OSError, InputError):
                status = root.stat(inside)
                if status is None or (status.st_dev, status.st_ino) != made:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    path = PurePosixPath(inside)
                    with root.folder(str(path.parent)) as parent:
                        os.rmdir(path.name, dir_fd=parent)
                elif status.st_size == 0:
                    root.remove(inside)

    def _lookup(self, wanted: str, is_plain: bool) -> tuple[str, os.stat_result | None]:
        """Return the real path of what is wanted, and what is there now, None for nothing."""
        done = PurePosixPath("/")
        waiting = list(PurePosixPath(wanted).parts[1:])[::-1]
        followed = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                done = done.parent
                continue
            candidate = done / part
            root, inside = self._below(str(candidate))
            if root is None:  # a new file system: no links of anybody else's are in it
                done = candidate
                continue
            try:
                status = root.stat(inside)
            except OSError as error:
                raise _unusable(wanted, str(error.strerror), not waiting) from error
            if status is None:
                return str(candidate.joinpath(*waiting[::-1])), None
            if not stat.S_ISLNK(status.st_mode):
                if waiting and not stat.S_ISDIR(status.st_mode):
                    raise _unusable(str(candidate), f"is {kind(status.st_mode)}", True)
                done = candidate
                continue
            followed += 1
            target = PurePosixPath(root.read_link(inside))
            if is_plain or followed > LINKS_MAX:
                raise _unusable(wanted, f"is a link to {target}", True)
            if target.is_absolute():
                done = PurePosixPath("/")
            waiting += [each for each in target.parts if each != "/"][::-1]
        root, inside = self._below(str(done))
        return str(done), root.stat(inside) if root else None

    def _below(self, path: str) -> tuple[Root | None, str]:
        """Return the mount that a path is on, and the path from its top."""
        mount = path.rstrip("/")
        while mount not in self._mounts:
            mount = mount.rpartition("/")[0]
        return self._mounts[mount], path.removeprefix(mount) or "/"

    def _make(self, path: str, wanted: str, is_folder: bool) -> None:
        root, inside = self._below(path)
        if root is None:
            return  # bubblewrap makes it in a file system of its own
        parts = PurePosixPath(inside).parts[1:]
        if ".." in parts or path.removesuffix(inside) not in self._writable:
            raise _unusable(wanted, "can't be made", is_folder)
        try:
            for number in range(1, len(parts) + 1):
                step = "/" + "/".join(parts[:number])
                if root.exists(step, follow=False):
                    continue
                if number < len(parts) or is_folder:
                    root.make_folder(step)
                else:
                    root.write(step, b"")
                with root.handle(step) as made:
                    self._made.append((root, step, identity(made)))
        except OSError as error:
            raise _unusable(wanted, f"can't be made ({error.strerror})", is_folder) from error


@contextmanager
def places(root: Path | None) -> Iterator[Places]:
    """Yield the places of a sandbox around a tree; what was made for them is gone afterwards."""
    found = Places(root)
    try:
        yield found
    finally:
        found.tidy()


def check_kernel_folders(root: Path, where: str) -> None:
    """Raise InputError when something made a mount point of the kernel's file systems unusable.

    where: who had the tree in hand until now, as a file and line or a step's name.
    """
    try:
        for folder in ("/dev", "/proc", "/sys"):
            Places(root).check(folder)
    except InputError as error:
        raise InputError(error.what, where=where, why=error.why, remedy=error.remedy) from error


def _unusable(path: str, how: str, is_folder: bool) -> InputError:
    return InputError(
        f"{path} {how} where a {'folder' if is_folder else 'file'} belongs",
        why="it is not what it must be while the image is built",
        remedy="remove it in the script, or leave out the package, that made it",
    )
