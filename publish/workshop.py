"""Where a change of a release tree is prepared: beside its root, so that no reader ever sees it.

A mirror takes whatever lies below the root, half-made files and locks included. So the workshop is
the folder .<name>.ccis beside the root <name>, on the same mount: from there a folder of the tree
is exchanged for its successor in a single step (renameat2(2), RENAME_EXCHANGE). Whether the file
system can do that is tried before anything is copied.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.errors import HostError, InputError, from_os_error
from host.files import exchange, sync_path
from host.folders import content, own_folder
from host.locks import locked

_OLD_LOCK = ".publish.lock"
_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Workshop:
    """A tree that one publisher works on. root: its top. place: what is prepared for it."""

    root: Path
    place: Path

    def folder(self, name: str) -> Path:
        """Make and return a new folder in the workshop, readable by all, as the tree's are."""
        path = own_folder(self.place / "staging" / name, 0o755)
        if content(path):
            raise HostError("another publisher works in the workshop", where=str(path))
        return path

    def switch(self, made: Path, path: str) -> None:
        """Put a folder that was made here in the place of the tree's folder `path`, in one step.

        What was there before is removed. Raises OSError.
        """
        target = self.root / path
        public_folder(self.root, str(Path(path).parent))
        if target.is_dir():
            exchange(made, target)
        else:
            made.rename(target)
        sync_path(target.parent)
        with suppress(OSError):  # the next publisher tries again
            remove_tree(made)


@contextmanager
def workshop(root: Path) -> Iterator[Workshop]:
    """Hold the tree at `root`, which is made if need be, against other publishers; yield its place.

    What a publisher left that was killed is removed. Raises InputError or HostError when nothing
    can be prepared beside the root or exchanged with what is in it.
    """
    root = root.resolve()
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            root.mkdir()
            root.chmod(0o755)
        if not root.is_dir():
            raise InputError("is not a folder", where=str(root), remedy="name another root")
        _refuse_other_mount(root, root.parent)
        place = own_folder(root.parent / f".{root.name}.ccis")
        with locked(place / "lock"):
            _sweep(root, place)
            _try_exchange(place)
            yield Workshop(root, place)
            with suppress(OSError):
                remove_tree(place / "staging")
    except OSError as error:
        raise from_os_error(error, f"publishing into {root}") from error


def public_folder(root: Path, path: str) -> Path:
    """Make a folder below the root, and those above it, open to all readers; return it.

    One that is there and closed (made under another umask) is opened. Raises InputError where a
    link is on the way, OSError.
    """
    place = Root(root)
    here = root
    for part in Path(path).parts:
        here = here / part
        if place.is_link(f"/{here.relative_to(root)}"):
            raise InputError("it is a symbolic link, which is not followed", where=str(here),
                             remedy="put a folder there, or a mount")
        with suppress(FileExistsError):
            here.mkdir()
        mode = here.lstat().st_mode & 0o7777
        if mode & 0o755 != 0o755:
            here.chmod(mode | 0o755)
    return here


def check_place(works: Workshop, path: str) -> None:
    """Raise HostError when a folder of the tree can't be exchanged with one of the workshop's."""
    place = Root(works.root)
    for each in reversed([Path(path), *Path(path).parents]):
        if not each.parts:
            continue
        if place.is_link(f"/{each}"):
            raise InputError("it is a symbolic link, which is not followed",
                             where=str(works.root / each),
                             remedy="put a folder there, or a mount")
        if place.is_folder(f"/{each}", follow=False):
            _refuse_other_mount(works.root / each, works.place)


def _refuse_other_mount(path: Path, beside: Path) -> None:
    if _mount_of(path) != _mount_of(beside):
        raise InputError(
            "it is a mount of its own, so that nothing can be prepared beside it",
            where=str(path), why="a folder is exchanged for its successor, which must lie on the "
            "same mount and outside the tree, where no mirror sees it half made",
            remedy=f"publish into a folder in that mount, as in --root {path / 'public'}, and "
            "serve that one")


def _mount_of(path: Path) -> str:
    """Return the number of the mount that a folder is on: bind mounts share their device."""
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
        return next(line for line in lines if line.startswith("mnt_id:"))
    finally:
        os.close(descriptor)


def _sweep(root: Path, place: Path) -> None:
    """Remove what a killed publisher left, and what older versions kept in the tree itself."""
    remove_tree(place / "staging")
    tree = Root(root)
    if tree.exists(f"/{_OLD_LOCK}", follow=False):
        tree.remove(f"/{_OLD_LOCK}")


def _try_exchange(place: Path) -> None:
    one, other = own_folder(place / "staging/one"), own_folder(place / "staging/other")
    try:
        exchange(one, other)
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        raise HostError(
            "the file system can't exchange two folders in one step", where=str(place.parent),
            why="renameat2(2) with RENAME_EXCHANGE: " + (error.strerror or ""),
            remedy="publish into a tree on ext4, xfs, btrfs or tmpfs, and copy it from there to "
            "where it is served",
        ) from error
    finally:
        remove_tree(place / "staging")
