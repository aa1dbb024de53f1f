"""The root tree as settings see it: files to write, links to set, programs of its own to run.

Its content is whoever's wrote the kickstart and its packages, so every access from the host goes
through host.beneath.root.Root; none of these methods gives away a path of the host's.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builder.sandbox.sandbox import Sandbox
from host.beneath.openat2 import LINKS_MAX
from host.beneath.root import LIMIT_BYTES, Root
from host.beneath.walk import kind
from host.errors import InputError

# What the kernel says of the host's disk, not of the tree.
_OF_THE_HOST = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EMFILE,
                errno.ENFILE, errno.ENOMEM)


@dataclass(frozen=True)
class Tree:
    """A root tree under change. Paths are absolute as the guest sees them."""

    root: Path
    sandbox: Sandbox

    @property
    def files(self) -> Root:
        """The way to everything in it that the methods here are too few for."""
        return Root(self.root)

    def exists(self, inside: str) -> bool:
        """Say whether a path is there."""
        with named(inside):
            return self.files.exists(inside)

    def has(self, program: str) -> bool:
        """Say whether the tree has a program; a link counts, wherever it leads."""
        with named(program):
            return self.files.is_link(program) or self.files.is_file(program)

    def names(self, folder: str, pattern: str = "*") -> list[str]:
        """Return the sorted names in a folder that match a shell's pattern; none without one."""
        with named(folder):
            return fnmatch.filter(self.files.names(folder), pattern)

    def read(self, inside: str) -> str:
        """Return a regular file's text, or nothing if there is no such file.

        Bytes that are no UTF-8 come as surrogates, which write() makes bytes again.
        Raises InputError for a file that is too long (host.beneath.root.LIMIT_BYTES).
        """
        with named(inside):
            if not self.files.is_file(inside):
                return ""
            return self.files.read(inside, follow=True).decode("utf-8", "surrogateescape")

    def write(self, inside: str, text: str, mode: int | None = None) -> None:
        """Write a file, through a link if one is there, and the folders above it.

        mode None keeps an existing file's mode (new files: 0644).
        Raises InputError when something else is in its place.
        """
        with named(inside):
            for _ in range(LINKS_MAX):
                if not self.files.is_link(inside):
                    break
                inside = str(PurePosixPath(inside).parent / self.files.read_link(inside))
            self.make_folder(str(PurePosixPath(inside).parent))
            self.files.write(inside, text.encode("utf-8", "surrogateescape"), mode, follow=True)

    def make_folder(self, inside: str) -> None:
        """Make a folder and those above it, as far as they are missing.

        Raises InputError when something else is in its place.
        """
        with named(inside):
            self.files.make_folder(inside)

    def link(self, inside: str, target: str) -> None:
        """Make `inside` a symbolic link to `target`, whatever it was before."""
        with named(inside):
            self.make_folder(str(PurePosixPath(inside).parent))
            self.files.link(inside, target)

    def remove(self, inside: str) -> None:
        """Remove a file, link or folder if it is there; a link itself, not what it names."""
        with named(inside):
            self.files.remove(inside)

    def need_plain(self, *paths: str) -> None:
        """Raise InputError when a path leads to what a program of the tree would wait on.

        That is anything but a regular file of at most LIMIT_BYTES or a folder; nothing is fine.
        """
        for path in paths:
            with named(path):
                status = self.files.stat(path, follow=True)
            if status is None or stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT_BYTES:
                raise InputError(
                    f"{path} is {kind(status.st_mode)} of {status.st_size} bytes",
                    where=path, remedy="remove it in the package or script that made it")

    def set_shell_value(self, inside: str, name: str, value: str) -> None:
        """Set NAME=value in a file of shell assignments, keeping its other lines."""
        lines = self.read(inside).splitlines()
        fresh = f"{name}={value}"
        kept = [line for line in lines if not line.startswith(f"{name}=")]
        at = next((n for n, line in enumerate(lines) if line.startswith(f"{name}=")), len(kept))
        kept.insert(at, fresh)
        self.write(inside, "\n".join(kept) + "\n")

    def run(self, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a program of the tree and return what it printed."""
        return self.sandbox.run(list(argv), stdin=stdin, check=check).stdout


@contextmanager
def named(inside: str) -> Iterator[None]:
    """Turn what the kernel refuses because of a tree's shape into an InputError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in _OF_THE_HOST:
            raise
        raise InputError(
            f"{inside} of the root tree can't be used", where=inside,
            why=os.strerror(error.errno) if error.errno else str(error),
            remedy="see what made it or its folders: a package or a script",
        ) from error
