"""What `build` and `plan` have in common: from the words of the command line to build options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from host.errors import InputError
from host.progress import Progress

if TYPE_CHECKING:
    from builder.plan import Options
    from images.image import Image
    from images.release import Release

Engine = Literal["auto", "direct", "guestfs"]

ImagesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[IMAGE]...", help="Images; see `ccis list`.",
                                     show_default=False),
]
KickstartOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The kickstart, instead of the image's own."),
]
ReleaseOption = Annotated[str, typer.Option(help="The release; see `ccis list`.")]
ArchOption = Annotated[str, typer.Option(help="The architecture.")]
FormatOption = Annotated[
    list[str] | None, typer.Option("--format", metavar="FORMAT", help="Make this artefact alone; "
                                   "may be repeated.  [default: those of the image]"),
]
EngineOption = Annotated[Engine, typer.Option(help="How the disk is made.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Report as JSON.")]

HOST_ARCH = os.uname().machine
DEFAULT_RELEASE = "centos-stream-10"
_KICKSTART_DISK = "10 GiB"


def options_of(
    images: list[str] | None, kickstart: Path | None, release_name: str, arch: str,
    formats: list[str] | None, engine: Engine, progress: Progress,
) -> list[Options]:
    """Return what is to be built; a rehearsal release is made first if it is not there.

    A kickstart beside one image takes the place of that image's own; alone it is an image.
    Raises InputError for unknown names, for nothing to build, and for a kickstart beside several
    images.
    """
    from builder import formats as known_formats
    from builder.plan import Options
    from images import catalogue

    if not images and kickstart is None:
        raise InputError("nothing to build", where="the command line",
                         remedy="name images (see `ccis list`) or give --kickstart FILE")
    if kickstart is not None and len(images or []) > 1:
        raise InputError("one kickstart can't be that of several images", where="--kickstart",
                         remedy="name one image, or none")
    for name in formats or []:
        known_formats.get(name)
    release = catalogue.release(release_name)
    chosen: list[tuple[Image, Path]]
    found = [catalogue.image(name) for name in images or []]
    if kickstart is not None:
        chosen = [(found[0] if found else _image_of(kickstart), kickstart)]
    else:
        chosen = [(image, catalogue.kickstart_of(image)) for image in found]
    rehearsal = _rehearsal(release, progress)
    return [
        Options(image=image, kickstart=path, release=release, arch=arch, engine=engine,
                formats=formats or None, rehearsal=rehearsal)
        for image, path in chosen
    ]


def _image_of(kickstart: Path) -> Image:
    """Return the image that a bare kickstart stands for, named after its file."""
    from images.image import Image

    words = [word for word in "".join(
        letter if letter.isalnum() else " " for letter in kickstart.stem).split() if word]
    if not words:
        raise InputError("the kickstart's name has no letters to name an image by",
                         where=str(kickstart))
    return Image(
        name="-".join(words).lower(), flavour="".join(w[:1].upper() + w[1:] for w in words),
        summary=f"Built from {kickstart}", kickstart=str(kickstart), disk_size=_KICKSTART_DISK,
        formats=["qcow2"],
    )


def _rehearsal(release: Release, progress: Progress) -> Path | None:
    if not release.rehearsal:
        return None
    import rehearsal

    return rehearsal.create(release.name, progress)
