"""What a build is asked for: an image for a release, for some destinations, in some formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.artefact import DISK
from builder.formats import registry as formats
from builder.kickstart.sources import Given
from host.errors import InputError
from images import catalogue
from images.image import Image
from images.release import Release
from images.target import Layer, Target


@dataclass(frozen=True)
class Request:
    """One image with one content; `ccis build` may ask for several.

    targets: destinations that all want the same layer over the tree.
    formats: the artefacts; empty: those that the targets take best.
    rehearsal: the folder of the rehearsal distribution, for releases that are made of it.
    include_paths: folders of this host that %include may name, besides the kickstart's own.
    allow_secrets: whether a medium may carry the kickstart's plain passwords.
    repositories: files that define repositories, besides those of images/repositories.
    unsigned: the ids of repositories that nobody need vouch for.
    """

    image: Image
    kickstart: Given
    release: Release
    arch: str
    engine: str = "auto"
    targets: Sequence[Target] = ()
    formats: Sequence[str] = ()
    rehearsal: Path | None = None
    include_paths: Sequence[Path] = ()
    allow_secrets: bool = False
    repositories: Sequence[Path] = ()
    unsigned: Sequence[str] = ()

    @property
    def layer(self) -> Layer:
        """What the targets change in the tree."""
        return self.targets[0].layer if self.targets else Layer()

    @property
    def drivers(self) -> list[str]:
        """The kernel modules that the initramfs must have, for all targets together."""
        return sorted({driver for target in self.targets for driver in target.drivers})

    @property
    def flavour(self) -> str:
        """The word in the files' names: the image's own, and the target when that is another's."""
        foreign = [each.name for each in self.targets if each.name not in self.image.targets]
        return "-".join([self.image.flavour, *(foreign if not self.layer.is_empty else [])])

    @property
    def wanted_formats(self) -> list[str]:
        """The artefacts to be made, each once."""
        wanted = self.formats or [name for each in self.targets for name in each.formats]
        return list(dict.fromkeys(wanted))

    @property
    def disk_formats(self) -> list[str]:
        """Those of the artefacts that are made from a disk."""
        return [name for name in self.wanted_formats
                if formats.origin(formats.get(name)) == DISK]

    @property
    def has_disk(self) -> bool:
        """Whether the image has a disk at all."""
        return self.image.shape == "disk"

    def check(self) -> None:
        """Raise InputError for formats that the image can't have, and disks no target takes."""
        if not self.has_disk and (wrong := self.disk_formats):
            raise InputError(f"{self.image.name} has no disk to make {wrong[0]} of",
                             where=str(catalogue.HERE / f"{self.image.name}.yaml"),
                             remedy="ask for a format that is made from the tree: "
                             + ", ".join(n for n, f in formats.FORMATS.items()
                                         if formats.origin(f) != DISK))
        for target in self.targets:
            if self.disk_formats and (why := target.disk.objection(self.image.disk_size_bytes)):
                raise InputError(
                    f"{target.title} does not take a disk of {self.image.disk_size}",
                    where=str(catalogue.target_file(target.name)), why=why,
                    remedy=f"change disk_size in {catalogue.HERE / self.image.name}.yaml")


def check_taken(target: Target, wanted: Sequence[str]) -> None:
    """Raise InputError for a format that a target has no use for."""
    takes = [*target.formats, *target.accepts]
    if refused := [name for name in wanted if name not in takes]:
        raise InputError(f"{target.title} does not take {refused[0]}",
                         where=str(catalogue.target_file(target.name)),
                         remedy=f"it takes: {', '.join(takes)}")
