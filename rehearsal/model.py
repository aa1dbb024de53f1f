"""What a package to be written is made of: files, relations, scriptlets."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class Dependency(NamedTuple):
    """One requirement or provision, such as `glibc >= 2.34`.

    phase: "" or the scriptlet it is needed for: pre, post, preun, postun.
    """

    name: str
    sense: str = ""
    version: str = ""
    phase: str = ""


class Script(NamedTuple):
    """A scriptlet and what runs it."""

    body: str
    interpreter: tuple[str, ...] = ("/bin/sh",)


@dataclass
class PackagedFile:
    """A file, folder or symbolic link as a package will hold it.

    mode: with the type's bits, as stat(2) has them. content: a link's target, for a link.
    flags: rpm's (%config, %doc, ...). caps: capabilities, in text. lang: locale it belongs to.
    """

    path: str
    mode: int
    content: bytes = b""
    user: str = "root"
    group: str = "root"
    mtime_s: int = 0
    flags: int = 0
    caps: str = ""
    lang: str = ""

    @property
    def folder(self) -> str:
        """Return the folder's path with its final slash, as rpm's header wants it."""
        return self.path.rpartition("/")[0] + "/"

    @property
    def basename(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_folder(self) -> bool:
        """Tell whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        """Tell whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def target(self) -> str:
        """Return where a symbolic link points, or nothing."""
        return self.content.decode() if stat.S_ISLNK(self.mode) else ""

    @property
    def size(self) -> int:
        """Return the size in bytes that rpm expects to find (4096 for a folder)."""
        return 4096 if self.is_folder else len(self.content)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of a regular file's content, or nothing."""
        return hashlib.sha256(self.content).hexdigest() if self.is_regular else ""


@dataclass
class Package:
    """One RPM to be written. build_time_s: seconds since the epoch."""

    name: str
    version: str
    release: str
    arch: str = "x86_64"
    epoch: int = 0
    summary: str = ""
    description: str = ""
    license: str = "see /usr/share/licenses"
    url: str = "https://www.debian.org/"
    build_time_s: int = 0
    files: list[PackagedFile] = field(default_factory=list)
    requires: list[Dependency] = field(default_factory=list)
    provides: list[Dependency] = field(default_factory=list)
    conflicts: list[Dependency] = field(default_factory=list)
    obsoletes: list[Dependency] = field(default_factory=list)
    recommends: list[Dependency] = field(default_factory=list)
    scripts: dict[str, Script] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        """Return the file name of the package."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"

    @property
    def source_rpm(self) -> str:
        """Return a source package's name; rpm takes a package without one for a source package."""
        return f"{self.name}-{self.version}-{self.release}.src.rpm"
