"""What offline checks see of an image: data, and a way to read a file's content."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from host.errors import InputError
from images.record import BuildRecord
from specs.model import Shape
from validate.artefact import ArtefactFacts
from validate.disk import DiskFacts
from validate.fstab import Line
from validate.fstab import parse as parse_fstab
from validate.listing import Listing, Node
from validate.rpmdb import DATABASE_NAMES, Installed

TEXT_BYTES_MAX = 1 << 20
TEXT_LINES_MAX = 50_000
"""Settings are small; a larger file is no settings file, and none is read."""

RPM_PLACES = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/root/.rpmdb", "/usr/share/rpm")
"""Where rpm databases have been seen, right places and wrong ones."""


@dataclass
class View:
    """An image as the checks see it.

    read: gives the first bytes of a regular file, by a path without links and a number of bytes.
    list_packages: gives the packages in the database in a folder.
    disk: None for a bare root tree.
    hash_files: gives the SHA-256 of regular files by their paths; one that is not in it could not
    be read. list_xattrs: gives extended attributes by path, SELinux's labels apart. read_disk:
    reads bytes of the disk. None: this reader can't tell. container_faults: what is wrong with
    the container that the tree or disk came in; None: there is none.
    """

    tree: Listing
    read: Callable[[str, int], bytes]
    list_packages: Callable[[str], list[Installed]]
    arch: str
    shape: Shape
    artefact: ArtefactFacts | None = None
    disk: DiskFacts | None = None
    record: BuildRecord | None = None
    hash_files: Callable[[Iterable[str]], dict[str, str]] | None = None
    list_xattrs: Callable[[], dict[str, dict[str, bytes]]] | None = None
    read_disk: Callable[[int, int], bytes] | None = None
    remembered: dict[str, Any] = field(default_factory=dict)
    container_faults: tuple[str, ...] | None = None
    _texts: dict[str, str] = field(default_factory=dict)

    def text(self, path: str, max_bytes: int = TEXT_BYTES_MAX) -> str | None:
        """Return a file's text, links followed inside the image; None when there is no file.

        Raises InputError for a file with more than max_bytes or TEXT_LINES_MAX.
        """
        entry = self.tree.resolve(path)
        if entry is None or not entry.is_file:
            return None
        if entry.size_bytes > max_bytes:
            raise InputError(f"{path} is too large for what it is: {entry.size_bytes} bytes")
        if entry.path not in self._texts:
            content = self.read(entry.path, max_bytes)
            text = content.decode(errors="replace")
            if len(text.splitlines()) > TEXT_LINES_MAX:
                raise InputError(f"{path} has more than {TEXT_LINES_MAX} lines")
            self._texts[entry.path] = text
        return self._texts[entry.path]

    def follow(self, entry: Node) -> Node | None:
        """Return the end of a link, or the entry itself; None for a link to nothing."""
        return self.tree.resolve(entry.path) if entry.is_link else entry

    @cached_property
    def os_release(self) -> dict[str, str]:
        """The fields of os-release(5)."""
        text = self.text("/etc/os-release") or self.text("/usr/lib/os-release") or ""
        fields = {}
        for line in text.splitlines():
            name, sign, value = line.strip().partition("=")
            if sign and not name.startswith("#"):
                fields[name] = value.strip("\"'")
        return fields

    @cached_property
    def xattrs(self) -> dict[str, dict[str, bytes]]:
        """Extended attributes by path; raises InputError when the reader can't tell."""
        if self.list_xattrs is None:
            raise InputError("this format's reader does not tell extended attributes")
        return self.list_xattrs()

    def sha256(self, paths: Iterable[str]) -> dict[str, str]:
        """Return digests of regular files; raises InputError when the reader can't tell."""
        if self.hash_files is None:
            raise InputError("this format's reader does not tell digests")
        return self.hash_files(paths)

    @property
    def version(self) -> str | None:
        """The version of the distribution: of build.json, else what the tree says; None: nothing.

        A tree that lies about it is build.json's business: rule identity.release-agrees.
        """
        return self.record.version if self.record else self.os_release.get("VERSION_ID")

    @property
    def rehearsal(self) -> bool:
        """Whether it is made of the rehearsal distribution's packages."""
        return self.record is not None and self.record.is_rehearsal

    @cached_property
    def rpm_folders(self) -> list[str]:
        """The folders that hold an rpm database, links resolved, each once."""
        found: list[str] = []
        for place in RPM_PLACES:
            folder = self.tree.resolve(place)
            if folder is None or not folder.is_folder or folder.path in found:
                continue
            if any(self.tree.get(posixpath.join(folder.path, name)) for name in DATABASE_NAMES):
                found.append(folder.path)
        return found

    @cached_property
    def packages(self) -> list[Installed]:
        """The installed packages; raises InputError when no database can be read."""
        if not self.rpm_folders:
            raise InputError("there is no rpm database in the image")
        return self.list_packages(self.rpm_folders[0])

    @cached_property
    def fstab(self) -> list[Line]:
        """The lines of /etc/fstab."""
        return parse_fstab(self.text("/etc/fstab") or "")
