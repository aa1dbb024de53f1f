"""The one way to touch a tree that somebody else made: nothing in it leads out of it.

A root tree belongs to whoever wrote the kickstart, its packages and its scripts. Host code names
what is in it by the guest's paths and gets there by descriptors (openat2.py): links are resolved as
the guest would, only regular files are opened and never a device or FIFO, reading has a bound,
writing replaces. docs/security.md says what that is good for; tests/security/ holds us to it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from host.beneath.openat2 import LINKS_MAX, open_inside, reopen
from host.beneath.remove import remove_at
from host.beneath.walk import NOT_THERE, Found, kind, look, walk
from host.errors import InputError
from host.sparse import copy_content

LIMIT_BYTES = 16 << 20
"""How much read() takes unless told otherwise: settings, menus and lists are far smaller."""


@dataclass(frozen=True)
class Root:
    """A tree that somebody else made, by the host's own path of its top folder.

    Paths inside are the guest's, absolute. `follow` is about a link at the very end of a path;
    links on the way are always followed, inside the tree.
    Every method raises InputError for a loop of links, and OSError for what the kernel refuses.
    """

    top: Path

    @contextmanager
    def handle(self, inside: str, *, follow: bool = False) -> Iterator[int]:
        """Yield a descriptor of whatever is there, good for looking only (O_PATH).

        Raises FileNotFoundError or NotADirectoryError when nothing is.
        """
        descriptor = self._open(inside, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def folder(self, inside: str = "/", *, links: bool = True) -> Iterator[int]:
        """Yield a descriptor of a folder that can be listed and worked in.

        links: False refuses a path with any symbolic link in it (OSError, ELOOP).
        """
        descriptor = self._open(inside, os.O_RDONLY | os.O_DIRECTORY, links=links)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def stat(self, inside: str, *, follow: bool = False) -> os.stat_result | None:
        """Return what is known of a path (stat(2)), None when nothing is there."""
        try:
            with self.handle(inside, follow=follow) as found:
                return os.fstat(found)
        except OSError as error:
            if error.errno in NOT_THERE:
                return None
            raise

    def exists(self, inside: str, *, follow: bool = True) -> bool:
        """Say whether something is there; a link to nothing is only with follow=False."""
        return self.stat(inside, follow=follow) is not None

    def is_file(self, inside: str, *, follow: bool = True) -> bool:
        """Say whether a regular file is there."""
        status = self.stat(inside, follow=follow)
        return status is not None and stat.S_ISREG(status.st_mode)

    def is_folder(self, inside: str, *, follow: bool = True) -> bool:
        """Say whether a folder is there."""
        status = self.stat(inside, follow=follow)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def is_link(self, inside: str) -> bool:
        """Say whether a symbolic link is there."""
        status = self.stat(inside)
        return status is not None and stat.S_ISLNK(status.st_mode)

    def read_link(self, inside: str) -> str:
        """Return what a symbolic link says. Raises OSError (EINVAL or ENOENT) when it is none."""
        with self.handle(inside) as found:
            return os.readlink("", dir_fd=found)

    def names(self, inside: str) -> list[str]:
        """Return the sorted names in a folder, none when there is no folder."""
        try:
            with self.folder(inside) as found:
                return sorted(os.listdir(found))
        except OSError as error:
            if error.errno in NOT_THERE:
                return []
            raise

    def real_path(self, inside: str) -> str:
        """Return the path without links by which the guest's own kernel knows what is there.

        Raises FileNotFoundError when nothing is.
        """
        with self.handle(inside, follow=True) as found, self.handle("/") as top:
            base = os.readlink(f"/proc/self/fd/{top}").rstrip("/")
            return os.readlink(f"/proc/self/fd/{found}").removeprefix(base) or "/"

    def open(self, inside: str, *, follow: bool = False) -> BinaryIO:
        """Open a regular file for reading; its type is known before anything is opened.

        Raises InputError for anything that is there and no regular file.
        """
        with self.handle(inside, follow=follow) as found:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise self._wrong(inside, os.fstat(found).st_mode)
            return os.fdopen(reopen(found, os.O_RDONLY | os.O_NONBLOCK), "rb")

    def read(
        self, inside: str, limit_bytes: int = LIMIT_BYTES, *, follow: bool = False,
    ) -> bytes:
        """Return a regular file's content. Raises InputError when it is longer than the limit."""
        with self.open(inside, follow=follow) as stream:
            content = stream.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise self._large(inside, limit_bytes)
        return content

    def copy_out(
        self, inside: str, target: Path, *, follow: bool = False, limit_bytes: int | None = None,
    ) -> None:
        """Copy a regular file's content, holes as holes, to a new file of the host's.

        Raises InputError, before anything is copied, when it is longer than the limit.
        """
        with self.open(inside, follow=follow) as source, target.open("xb") as sink:
            size_bytes = os.fstat(source.fileno()).st_size
            if limit_bytes is not None and size_bytes > limit_bytes:
                raise self._large(inside, limit_bytes)
            copy_content(source.fileno(), sink.fileno())

    def write(
        self, inside: str, content: bytes, mode: int | None = None, *, follow: bool = False,
    ) -> None:
        """Put a new regular file in the place of whatever is there; folders stay and are refused.

        mode None keeps a regular file's mode, owner and attributes (new files: 0644, of the
        caller). Its folder must be there; where a regular file is replaced, the folder's times
        stay, as if it had been written in place. follow: at the end of a link, the file that it
        names is replaced, not the link.
        """
        with self._parent(inside, follow=follow) as (folder, name):
            before = look(folder, name)
            if before is not None and stat.S_ISDIR(before.st_mode):
                raise self._wrong(inside, before.st_mode)
            regular = before is not None and stat.S_ISREG(before.st_mode)
            above = os.fstat(folder)
            fresh = f".ccis-{secrets.token_hex(8)}"
            descriptor = os.open(
                fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    if before is not None and regular:
                        _take_over(folder, name, before, stream.fileno())
                    kept = stat.S_IMODE(before.st_mode) if before and regular else 0o644
                    os.fchmod(stream.fileno(), kept if mode is None else mode)
                os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
                if regular:
                    os.utime(folder, ns=(above.st_atime_ns, above.st_mtime_ns))
            except BaseException:
                with suppress(OSError):
                    os.unlink(fresh, dir_fd=folder)
                raise

    def make_folder(self, inside: str, mode: int = 0o755) -> None:
        """Make a folder and those above it, as far as they are missing (0755 above)."""
        parts = [part for part in PurePosixPath(inside).parts if part != "/"]
        for number in range(1, len(parts) + 1):
            path = "/" + "/".join(parts[:number])
            if self.is_folder(path):
                continue
            with self._parent(path, follow=True) as (folder, last):
                os.mkdir(last, 0o700, dir_fd=folder)
                wanted = mode if number == len(parts) else 0o755
                with _below(folder, last, os.O_RDONLY | os.O_DIRECTORY) as made:
                    os.fchmod(made, wanted)

    def link(self, inside: str, target: str) -> None:
        """Make a symbolic link in the place of whatever is there; its folder must be there."""
        self.remove(inside)
        with self._parent(inside) as (folder, name):
            os.symlink(target, name, dir_fd=folder)

    def remove(self, inside: str) -> None:
        """Remove a file, link or whole folder if it is there; of a link, the link itself."""
        try:
            with self._parent(inside) as (folder, name):
                remove_at(folder, name)
        except OSError as error:
            if error.errno not in NOT_THERE:
                raise

    def chmod(self, inside: str, mode: int) -> None:
        """Change the mode of a regular file or folder, never through a link at the end."""
        with self.handle(inside) as found:
            if stat.S_ISLNK(os.fstat(found).st_mode):
                raise self._wrong(inside, os.fstat(found).st_mode)
            os.chmod(f"/proc/self/fd/{found}", mode)

    def chown(self, inside: str, owner: int, group: int) -> None:
        """Change owner and group by their numbers; of a link, its own."""
        with self.handle(inside) as found:
            os.chown(f"/proc/self/fd/{found}", owner, group)

    def attribute(self, inside: str, name: str) -> bytes | None:
        """Return an extended attribute, of a link itself, None when there is none."""
        try:
            with self.handle(inside) as found:
                return os.getxattr(f"/proc/self/fd/{found}", name)
        except OSError as error:
            if error.errno in (*NOT_THERE, errno.ENODATA, errno.EOPNOTSUPP):
                return None
            raise

    def set_attribute(self, inside: str, name: str, value: bytes) -> None:
        """Set an extended attribute, of a link itself."""
        with self.handle(inside) as found:
            os.setxattr(f"/proc/self/fd/{found}", name, value)

    def walk(self, inside: str = "/") -> Iterator[Found]:
        """Yield everything below a folder, each folder before what is in it, in sorted order.

        However deep it is: nothing here recurses, and no descriptor but one is held. Nothing is
        yielded when there is no folder; what goes away meanwhile is left out.
        """
        try:
            top = self._open(inside, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno in NOT_THERE:
                return
            raise
        try:
            yield from walk(top, inside.rstrip("/"))
        finally:
            os.close(top)

    @contextmanager
    def _parent(self, inside: str, *, follow: bool = False) -> Iterator[tuple[int, str]]:
        """Yield the folder that a path's last name is in, and that name."""
        for _ in range(LINKS_MAX):
            path = PurePosixPath("/", inside)
            if path.name in ("", ".."):
                raise InputError(f"{inside} names no file", where=inside)
            descriptor = self._open(str(path.parent), os.O_RDONLY | os.O_DIRECTORY)
            try:
                status = look(descriptor, path.name) if follow else None
                if status is None or not stat.S_ISLNK(status.st_mode):
                    yield descriptor, path.name
                    return
                inside = str(path.parent / os.readlink(path.name, dir_fd=descriptor))
            finally:
                os.close(descriptor)
        raise self._loop(inside)

    def _open(self, inside: str, flags: int, *, links: bool = True) -> int:
        top = os.open(self.top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return open_inside(top, inside, flags, links=links)
        except OSError as error:
            if error.errno == errno.ELOOP and links:
                raise self._loop(inside) from error
            raise
        finally:
            os.close(top)

    def _large(self, inside: str, limit_bytes: int) -> InputError:
        return InputError(f"{inside} is too large for what it is", where=str(self.top),
                          why=f"more than {limit_bytes} bytes", remedy="see what wrote it")

    def _loop(self, inside: str) -> InputError:
        return InputError(f"{inside} is a loop of links", where=str(self.top),
                          remedy="remove the links in the script that made them")

    def _wrong(self, inside: str, mode: int) -> InputError:
        return InputError(f"{inside} is {kind(mode)} where a regular file belongs",
                          where=str(self.top), remedy="see what made it: a package or a script")


@contextmanager
def _below(folder: int, name: str, flags: int) -> Iterator[int]:
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take_over(folder: int, name: str, before: os.stat_result, descriptor: int) -> None:
    """Give a new file the owner and the extended attributes of the one that it replaces."""
    os.fchown(descriptor, before.st_uid, before.st_gid)
    place = f"/proc/self/fd/{folder}/{name}"
    for attribute in os.listxattr(place, follow_symlinks=False):
        if attribute.startswith("trusted.overlay."):
            continue
        with suppress(OSError):  # system.* of the file system itself can't be set everywhere
            os.setxattr(descriptor, attribute,
                        os.getxattr(place, attribute, follow_symlinks=False))
