"""What a maker may use: the release, the Debian packages at hand, a scratch folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from host.beneath.root import Root
from rehearsal.deb import read_deb
from rehearsal.mapping import rpm_version
from rehearsal.model import PackagedFile

_LARGEST_BYTES = 256 << 20


@dataclass(frozen=True)
class Making:
    """The surroundings of one conversion.

    release: the major version, "10" or "9"; for packages that all releases share it is unused.
    debs: Debian name → file. key: the public key, armoured. base_folders: those that the
    `filesystem` package owns, so that no other has to. folders: the attributes of every folder
    that the table names.
    """

    release: str
    debs: Mapping[str, Path]
    scratch: Path
    key: str
    base_folders: frozenset[str]
    folders: Mapping[str, str]

    def text(self, template: str) -> str:
        """Fill in what depends on the release or the kernel.

        @RELEASE@, @DBPATH@, @KEY@, @KVER@ (as uname says it), @KREL@ (as rpm says it).
        """
        dbpath = "/usr/lib/sysimage/rpm" if self.release == "10" else "/var/lib/rpm"
        return (template.replace("@RELEASE@", self.release).replace("@DBPATH@", dbpath)
                .replace("@KEY@", self.key).replace("@KVER@", self.kernel)
                .replace("@KREL@", self.kernel_package))

    @property
    def kernel(self) -> str:
        """Return the version of the kernel, as uname(1) says it."""
        names = (deb.removeprefix("linux-image-") for deb in self.debs
                 if deb.startswith("linux-image-"))
        return next((name for name in names if name[0].isdigit()), "")

    @property
    def kernel_package(self) -> str:
        """Return the kernel as `rpm -q kernel --qf %{VERSION}-%{RELEASE}.%{ARCH}` says it."""
        file = self.debs.get(f"linux-image-{self.kernel}")
        if file is None:
            return ""
        _, version, release = rpm_version(unquote(file.name.split("_")[1]))
        return f"{version}-{release}.x86_64"

    def unpack(self, deb: str, prefix: str) -> Path:
        """Write those files of a Debian package that lie below `prefix` into the scratch folder.

        Returns the folder that stands for `/`.
        """
        top = self.scratch / deb
        top.mkdir(exist_ok=True)
        write(top, (file for file in read_deb(self.debs[deb])
                    if file.is_regular and file.path.startswith(prefix)))
        return top


def write(top: Path, files: Iterable[PackagedFile]) -> None:
    """Write regular files of a package below a folder; nothing they are called leads out of it."""
    root = Root(top)
    for file in files:
        root.make_folder(str(PurePosixPath(file.path).parent))
        root.write(file.path, file.content)


def regular(path: str, content: bytes, mode: int = 0o644) -> PackagedFile:
    """Return a regular file that is root's."""
    return PackagedFile(path, stat.S_IFREG | mode, content)


def collect(root: Path, below: str) -> list[PackagedFile]:
    """Return the files, folders and links under `root/below`, as root's, with their modes."""
    inside, found = Root(root), []
    for each in inside.walk(below):
        content = b""
        if each.is_link:
            content = os.readlink(each.name, dir_fd=each.folder).encode()
        elif each.is_file:
            content = inside.read(each.path, _LARGEST_BYTES)
        found.append(PackagedFile(each.path, each.status.st_mode, content))
    return found
