"""The catalogue: finds images, releases and kickstarts by name."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TypeVar

from host.errors import InputError
from host.yaml_files import load
from images.image import Image
from images.release import Release

Named = TypeVar("Named", Image, Release)

HERE = Path(__file__).parent
KICKSTARTS = HERE.parent / "kickstarts"


def image_names() -> list[str]:
    """Return the names of all images, sorted."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def release_names() -> list[str]:
    """Return the names of all releases, sorted."""
    return sorted(path.stem for path in (HERE / "releases").glob("*.yaml"))


def image(name: str) -> Image:
    """Return an image by its name; raises InputError if there is none or its file is wrong."""
    path = HERE / f"{name}.yaml"
    if name not in image_names():
        raise unknown("image", name, image_names())
    return _named(load(path, Image), path)


def release(name: str) -> Release:
    """Return a release by its name; raises InputError if there is none or its file is wrong."""
    path = HERE / "releases" / f"{name}.yaml"
    if name not in release_names():
        raise unknown("release", name, release_names())
    return _named(load(path, Release), path)


def kickstart_of(chosen: Image) -> Path:
    """Return the path of an image's kickstart."""
    return KICKSTARTS / chosen.kickstart


def unknown(kind: str, name: str, known: list[str]) -> InputError:
    """Return the error for a name that is not there, with the nearest one that is."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return InputError(f"there is no {kind} {name!r}", remedy=f"{hint}known: {', '.join(known)}")


def _named(thing: Named, path: Path) -> Named:
    if thing.name != path.stem:
        raise InputError(f"the name is {thing.name!r}, not that of its file", where=str(path))
    return thing
