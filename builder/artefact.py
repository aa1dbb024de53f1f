"""What an artefact format is: the contract between the build and each module of formats/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from host.progress import Progress

DISK, TREE = "disk", "tree"
"""What a format may be made from, beside another format: the raw disk image, the root tree."""


NAMING = ("title", "image", "flavour")
CONTENT = ("kickstart", "packages", "comps")


@dataclass(frozen=True)
class About:
    """What an artefact may say of itself: of the image, nothing of the night of its build.

    Whatever a format sees of it is part of its artefact's identity; so a rebuild costs nothing.
    What is under NAMING and CONTENT only those see that say so with `uses`: images with the same
    disk and other names share all that does not tell their name.
    title: such as "CentOS Stream 10 GenericCloud". distribution: such as CentOS-Stream.
    epoch: SOURCE_DATE_EPOCH, the only time that may get into an artefact.
    disk_size_bytes: the virtual size of the disk, 0 for an image without one.
    kickstart: its text by file name, the main file first.
    packages: the RPM files that the tree was made of; comps: the groups of their repositories.
    """

    title: str
    image: str
    flavour: str
    distribution: str
    version: str
    arch: str
    epoch: int
    disk_size_bytes: int = 0
    kickstart: Mapping[str, str] = field(default_factory=dict)
    packages: Sequence[Path] = ()
    comps: Sequence[Path] = ()

    def only(self, uses: Sequence[str]) -> About:
        """Return it without what a format does not use."""
        blank = About("", "", "", "", "", "", 0)
        return replace(self, **{name: getattr(blank, name)
                                for name in (*NAMING, *CONTENT) if name not in uses})

    @property
    def slug(self) -> str:
        """The image in one word of small letters, such as centos-stream-10-genericcloud."""
        return f"{self.distribution}-{self.version}-{self.flavour}".lower()


@dataclass(frozen=True)
class Outlook:
    """What is known of an image before it is made, for formats that can't be made of every one.

    has_kernel, has_dracut: whether its packages bring one. mounts_a_root: whether its fstab will
    name a disk for / – as far as one can tell, since scripts may do anything.
    """

    has_kernel: bool
    has_dracut: bool
    mounts_a_root: bool


class Format(Protocol):
    """What a format offers; a module of formats/ with these names is one.

    One that can't be made of every image may offer `objection(outlook) -> str | None`: why not, in
    words, before any work is done.
    """

    @property
    def name(self) -> str:
        """How --format and the YAML files call it."""

    @property
    def title(self) -> str:
        """What it is and who takes it, in one line for people."""

    @property
    def source(self) -> str:
        """What it is made from: "disk", "tree", or the name of another format."""

    @property
    def uses(self) -> Sequence[str]:
        """The fields of NAMING and CONTENT that it needs; the others are empty for it."""

    def make(self, source: Path, folder: Path, about: About, progress: Progress) -> None:
        """Write the artefact's files into an empty folder.

        source: the raw disk image, the root of the tree (read-only, all owners and attributes
        as they are to be), or the folder with the files of the other format.
        folder: each file in it is named by its ending: the file `qcow2` is published as
        CentOS-….qcow2. After a failure the caller throws the folder away.
        The caller starts the step with the format's name and a total of 100, and finishes it.
        Equal input must give equal bytes, whatever the clock and the number of processors.
        Raises InputError, HostError, ProgramError or OSError; a full disk is explained above.
        """

    def identity(self) -> Mapping[str, str]:
        """Return what shapes the artefact besides its source: options, the tools' versions."""
