"""Reads a folder that nobody vouches for: no links followed, no size believed, one snapshot."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from host.beneath.root import Root
from host.sparse import pieces
from publish.indexes import folders

_CHUNK_BYTES = 1 << 20
_PATH_CHARACTERS = 1024  # no more in an index either (publish.model.FolderPath)
_SAFELY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class UnusableError(Exception):
    """A file can't be taken as it is; the text says why, as the end of a sentence."""


@dataclass(frozen=True)
class FolderFile:
    """A regular file. inode: its device and number, the same for all hard links to it."""

    name: str
    size_bytes: int
    inode: tuple[int, int]


@dataclass(frozen=True)
class Folder:
    """An open folder: what is read through it belongs together, also when it is exchanged."""

    descriptor: int

    @property
    def inode(self) -> tuple[int, int]:
        """The folder's own device and number."""
        there = os.fstat(self.descriptor)
        return (there.st_dev, there.st_ino)

    def entries(self) -> tuple[dict[str, FolderFile], dict[str, str]]:
        """Return the regular files by name, and for each other thing a sentence about it."""
        files: dict[str, FolderFile] = {}
        others: dict[str, str] = {}
        with os.scandir(self.descriptor) as listing:
            for item in listing:
                try:
                    there = item.stat(follow_symlinks=False)
                except FileNotFoundError:  # the folder was exchanged, and is being removed
                    continue
                if stat.S_ISREG(there.st_mode):
                    inode = (there.st_dev, there.st_ino)
                    files[item.name] = FolderFile(item.name, there.st_size, inode)
                elif stat.S_ISLNK(there.st_mode):
                    others[item.name] = "it is a symbolic link, which is not followed"
                else:
                    others[item.name] = "it is not a regular file"
        return files, others

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return a small file's content; raises UnusableError when it is too large or no file."""
        with self._opened(name) as descriptor:
            content = b""
            while piece := os.read(descriptor, _CHUNK_BYTES):
                content += piece
                if len(content) > limit_bytes:
                    raise UnusableError(f"it is larger than {limit_bytes} bytes, which is not read")
        return content

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a regular file's content, piece by piece."""
        with self._opened(name) as descriptor:
            while piece := os.read(descriptor, _CHUNK_BYTES):
                yield piece

    def sha256(self, name: str, on_bytes: Callable[[int], None]) -> str:
        """Return the SHA-256 of a file; on_bytes: called with the size of each piece read."""
        digest = hashlib.sha256()
        with self._opened(name) as descriptor:
            for _, piece, _ in pieces(descriptor, os.fstat(descriptor).st_size):
                digest.update(piece)
                on_bytes(len(piece))
        return digest.hexdigest()

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        try:
            descriptor = os.open(name, _SAFELY, dir_fd=self.descriptor)
        except OSError as error:
            raise UnusableError(f"it can't be read: {error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnusableError("it is not a regular file")
            yield descriptor
        except OSError as error:
            raise UnusableError(f"it can't be read: {error.strerror}") from error
        finally:
            os.close(descriptor)


@contextmanager
def opened(root: Path, path: str) -> Iterator[Folder]:
    """Open the folder `path` below root without following a link on the way.

    Raises UnusableError when it is not there or is no folder.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in Path(path).parts:
            try:
                inner = os.open(part, _SAFELY | os.O_DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                raise UnusableError(f"it can't be opened: {error.strerror}") from error
            os.close(descriptor)
            descriptor = inner
        yield Folder(descriptor)
    finally:
        os.close(descriptor)


@dataclass
class Layout:
    """What lies below the root of a tree.

    folders: those that hold a release, those above first. odd: a sentence for each path of a link
    and of a folder too deep to be looked at. strays: one for each other thing outside the releases.
    """

    folders: list[str] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    strays: dict[str, str] = field(default_factory=dict)


def release_folders(root: Path, marks: Collection[str]) -> Layout:
    """Return what is below `root`.

    marks: names of files that are in a release folder alone, indexes for other tools apart; so is
    the name `images` of a folder.
    Folders that vanish meanwhile are left out: a publisher may be at work.
    """
    found = Layout()
    waiting = ["."]
    while waiting:
        path = waiting.pop()
        if len(path) > _PATH_CHARACTERS:
            found.odd[f"{path[:100]}…"] = "it is nested too deeply, and not looked at"
            continue
        try:
            with opened(root, path) as folder, os.scandir(folder.descriptor) as listing:
                kinds = dict(_kinds(listing))
        except (UnusableError, FileNotFoundError):
            continue
        apart = Path(path).parts[:1] and Path(path).parts[0] in folders()
        is_release = not apart and (Path(path).name == "images" or bool(set(marks) & set(kinds)))
        if is_release:
            found.folders.append(path)  # whoever checks the release sees its links
        for name, mode in kinds.items():
            inner = str(Path(path, name))
            if stat.S_ISDIR(mode):
                waiting.append(inner)
            elif is_release:
                continue
            elif stat.S_ISLNK(mode):
                found.odd[inner] = "it is a symbolic link, which is not followed"
            else:
                found.strays[inner] = "it is not part of the release"
    found.folders.sort()
    return found


def _kinds(listing: Iterable[os.DirEntry[str]]) -> Iterator[tuple[str, int]]:
    for item in listing:
        with suppress(FileNotFoundError):  # gone since it was listed
            yield item.name, item.stat(follow_symlinks=False).st_mode


def sweep_leftovers(root: Path, path: str) -> None:
    """Remove what an older version left beside a folder: it prepared its changes in the tree."""
    above, _, last = path.rpartition("/")
    place = Root(root)
    for name in place.names(f"/{above}"):
        if name.startswith(f".{last}."):
            place.remove(f"/{above}/{name}")
