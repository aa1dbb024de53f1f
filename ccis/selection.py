"""What `build` and `plan` have in common: from the words of the command line to requests."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import given, names
from host.errors import InputError
from host.progress import Progress

if TYPE_CHECKING:
    from builder.kickstart.sources import Given
    from builder.packages.selection import Selection
    from builder.request import Request
    from images.image import Image
    from images.release import Release
    from images.target import Target

ImagesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="IMAGE", help="Images; see `ccis list`.",
                                     show_default=False, autocompletion=names.images),
]
KickstartOption = Annotated[
    str | None, typer.Option(metavar="FILE|URL|-", help="The kickstart, instead of the image's "
                             "own; -: standard input."),
]
ReleaseOption = Annotated[str, typer.Option(help="The release; see `ccis list`.",
                                            autocompletion=names.releases)]
ArchOption = Annotated[str, typer.Option(help="The architecture.")]
FormatOption = Annotated[
    list[str] | None, typer.Option("--format", metavar="FORMAT,...", help="Make these artefacts "
                                   "alone; see `ccis list`.  [default: those of the image]",
                                   autocompletion=names.formats),
]
TargetOption = Annotated[
    list[str] | None, typer.Option("--target", metavar="TARGET,...", help="Make what these "
                                   "destinations take, or `all`; see `ccis list`.",
                                   autocompletion=names.targets),
]
EngineOption = Annotated[str, typer.Option(
    metavar="ENGINE", help="How the disk is made: auto, or an engine of `ccis list`.",
    autocompletion=names.engines)]
IncludePathOption = Annotated[
    list[Path] | None, typer.Option("--include-path", metavar="FOLDER", help="A folder of this "
                                    "host that %include may name; may be given several times.  "
                                    "[default: the kickstart's own]"),
]
AllowSecretsOption = Annotated[
    bool, typer.Option("--allow-secrets", help="Let a medium carry the kickstart's plain "
                       "passwords."),
]
RepositoryOption = Annotated[
    list[Path] | None, typer.Option("--repository", metavar="FILE", help="Defines a repository "
                                    "that a kickstart may name, with its key, as "
                                    "images/repositories/*.yaml do; may be repeated."),
]
UnsignedOption = Annotated[
    list[str] | None, typer.Option("--allow-unsigned", metavar="NAME", help="Take what this "
                                   "repository has though nobody signed it; may be repeated."),
]
DiskSizeOption = Annotated[
    str | None, typer.Option("--disk-size", metavar="SIZE", help='The disk\'s size, such as '
                             '"20 GiB".  [default: the image\'s; 10 GiB for a kickstart alone]'),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Report as JSON.")]

HOST_ARCH = os.uname().machine
DEFAULT_RELEASE = "centos-stream-10"
_KICKSTART_DISK = "10 GiB"


@dataclass(frozen=True)
class Order:
    """The options that say what is to be built."""

    images: ImagesArgument = None
    kickstart: KickstartOption = None
    release: ReleaseOption = DEFAULT_RELEASE
    arch: ArchOption = HOST_ARCH
    targets: TargetOption = None
    formats: FormatOption = None
    engine: EngineOption = "auto"
    include_paths: IncludePathOption = None
    allow_secrets: AllowSecretsOption = False
    repositories: RepositoryOption = None
    allow_unsigned: UnsignedOption = None
    disk_size: DiskSizeOption = None

    def requests(self, progress: Progress) -> list[Request]:
        """Return what is to be built; a rehearsal release is made first if it is not there.

        A kickstart beside one image takes the place of that image's own; alone it is an image.
        Targets without an image stand for the images that are theirs; with images, each image is
        made for each of them, once for those that want the same of it. The disk's size is for all
        that have one.
        Raises InputError for unknown names, for nothing to build, and for a kickstart beside
        several images.
        """
        from builder.formats import registry as known_formats
        from builder.request import Request, check_taken
        from images import catalogue

        formats, targets = _words(self.formats), _words(self.targets)
        if not self.images and self.kickstart is None and not targets:
            raise InputError("nothing to build", where="the command line",
                             remedy="name images or --target (see `ccis list`), "
                                    "or give --kickstart FILE")
        if self.kickstart is not None and len(self.images or []) > 1:
            raise InputError("one kickstart can't be that of several images", where="--kickstart",
                             remedy="name one image, or none")
        for name in formats:
            known_formats.get(name)
        release = catalogue.release(self.release)
        wanted = [catalogue.target(name)
                  for name in (catalogue.target_names() if "all" in targets else targets)]
        for target in wanted:
            check_taken(target, formats)
        kickstart = given.kickstart(self.kickstart)
        chosen = self._images(wanted, kickstart)
        if self.disk_size is not None:
            chosen = _resized(chosen, self.disk_size)
        rehearsal = _rehearsal(release, progress)
        return [
            Request(image=image, kickstart=kickstart or catalogue.kickstart_of(image),
                    release=release, arch=self.arch, engine=self.engine, targets=tuple(group),
                    formats=tuple(formats or (() if wanted else image.formats)),
                    rehearsal=rehearsal, include_paths=folders_of(self.include_paths),
                    allow_secrets=self.allow_secrets,
                    repositories=tuple(self.repositories or ()),
                    unsigned=tuple(self.allow_unsigned or ()))
            for image, group in chosen
        ]

    def check_unsigned(self, selections: Iterable[Selection]) -> None:
        """Raise InputError for a repository that nothing is taken from: the word does nothing."""
        names = self.allow_unsigned or []
        known = {snapshot.id for one in selections for snapshot in one.snapshots}
        if strange := [name for name in names if name not in known]:
            raise InputError(
                f"nothing is taken from a repository {strange[0]!r}", where="--allow-unsigned",
                remedy=f"there are: {', '.join(sorted(known))}")

    def _images(
        self, wanted: list[Target], kickstart: Given | None,
    ) -> list[tuple[Image, list[Target]]]:
        """Return the images that are named, or are the targets' own, with the targets of each."""
        from images import catalogue

        if not self.images and kickstart is None:
            return _images_for(wanted)
        found = [catalogue.image(name) for name in self.images or []]
        if not found and kickstart:
            found = [_image_of(kickstart)]
        return [pair for image in found for pair in _for_targets(image, wanted)]


def folders_of(include_paths: list[Path] | None) -> tuple[Path, ...]:
    """Return the folders that %include may name; raises InputError for one that is none."""
    for path in include_paths or ():
        if not path.is_dir():
            raise InputError(f"{path} is no folder", where="--include-path")
    return tuple(include_paths or ())


def _resized(
    chosen: list[tuple[Image, list[Target]]], disk_size: str,
) -> list[tuple[Image, list[Target]]]:
    """Return the images with disks of another size; raises InputError if none has a disk."""
    from images.sizes import parse_size

    try:
        parse_size(disk_size)
    except ValueError as error:
        raise InputError(str(error), where="--disk-size") from error
    if not any(image.shape == "disk" for image, _ in chosen):
        raise InputError(f"{chosen[0][0].name} has no disk", where="--disk-size",
                         remedy="leave the option out")
    return [(image.model_copy(update={"disk_size": disk_size}) if image.shape == "disk" else image,
             group) for image, group in chosen]


def _words(values: list[str] | None) -> list[str]:
    """Return the words of a repeatable option whose values may be lists: `--target a,b`."""
    return [word for value in values or [] for word in value.replace(",", " ").split()]


def _for_targets(image: Image, wishes: list[Target]) -> list[tuple[Image, list[Target]]]:
    """Return the image once for each different content that the targets want of it."""
    from images import catalogue

    if not wishes:
        return [(image, catalogue.targets_of(image))]
    groups: list[list[Target]] = []
    for wish in wishes:
        same = next((group for group in groups if group[0].layer == wish.layer), None)
        if same is None:
            groups.append([wish])
        else:
            same.append(wish)
    return [(image, group) for group in groups]


def _images_for(wishes: list[Target]) -> list[tuple[Image, list[Target]]]:
    """Return the images that are the targets' own."""
    from images import catalogue

    names = {wish.name for wish in wishes}
    found = []
    for name in catalogue.image_names():
        own = [target for target in catalogue.targets_of(catalogue.image(name))
               if target.name in names]
        if own:
            found.append((catalogue.image(name), own))
    served = {target.name for _, group in found for target in group}
    if missing := sorted(names - served):
        raise InputError(f"no image is made for {missing[0]}", where="--target",
                         remedy=f"name one: ccis build IMAGE --target {missing[0]}")
    return found


def _image_of(kickstart: Given) -> Image:
    """Return the image that a bare kickstart stands for, named after its file.

    Names of images are ASCII, since they end up in those of files: letters of other scripts are
    left out, and of a name that has no others a few digits tell it from the next.
    """
    from images.image import Image

    plain = unicodedata.normalize("NFKD", kickstart.stem).encode("ascii", "ignore").decode()
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    if not words or (plain != kickstart.stem and not any(map(str.isalpha, plain))):
        name = os.fsencode(kickstart.name)
        words = ["kickstart", *words, hashlib.sha256(name).hexdigest()[:8]]
    return Image(
        name="-".join(words).lower(), flavour="".join(w[:1].upper() + w[1:] for w in words),
        summary=f"Built from {kickstart}", kickstart=str(kickstart), disk_size=_KICKSTART_DISK,
        formats=["qcow2"],
    )


def _rehearsal(release: Release, progress: Progress) -> Path | None:
    if not release.rehearsal:
        return None
    import companions
    import rehearsal

    folder = rehearsal.create(release.name, progress)
    companions.create(progress)
    return folder
