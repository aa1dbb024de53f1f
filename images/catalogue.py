"""The catalogue: finds images, releases, targets, repositories and kickstarts by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from host.errors import InputError
from host.yaml_files import load
from images.image import Image
from images.release import Release
from images.repository import NamedRepository
from images.target import Target

Named = TypeVar("Named", Image, Release, Target, NamedRepository)

HERE = Path(__file__).parent
KICKSTARTS = HERE.parent / "kickstarts"


def image_names() -> list[str]:
    """Return the names of all images, sorted."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def release_names() -> list[str]:
    """Return the names of all releases, sorted."""
    return sorted(path.stem for path in (HERE / "releases").glob("*.yaml"))


def target_names() -> list[str]:
    """Return the names of all targets, sorted."""
    return sorted(path.stem for path in (HERE / "targets").glob("*.yaml"))


def repository_names() -> list[str]:
    """Return the names of all repositories that a kickstart may name, sorted."""
    return sorted(path.stem for path in (HERE / "repositories").glob("*.yaml"))


def repositories(more: Sequence[Path] = ()) -> dict[str, NamedRepository]:
    """Return all repositories that a kickstart may name, by their names.

    more: files like those of images/repositories/. Raises InputError for a wrong one, and for one
    whose name is taken.
    """
    found: dict[str, NamedRepository] = {}
    own = [HERE / "repositories" / f"{name}.yaml" for name in repository_names()]
    for path in [*own, *more]:
        one = load(path, NamedRepository)
        if one.name in found:
            raise InputError(f"there is a repository {one.name!r} already", where=str(path),
                             remedy="give it another name")
        found[one.name] = _named(one, path) if path in own else one
    return found


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


def target(name: str) -> Target:
    """Return a target by its name; raises InputError if there is none or its file is wrong."""
    if name not in target_names():
        raise unknown("target", name, target_names())
    return _named(load(target_file(name), Target), target_file(name))


def target_file(name: str) -> Path:
    """Return the file that describes a target, for messages about it."""
    return HERE / "targets" / f"{name}.yaml"


def all_drivers() -> list[str]:
    """Return the kernel modules that any target needs: one initramfs suits every destination."""
    return sorted({name for each in map(target, target_names()) for driver in each.drivers
                   for name in driver.split("|")})


def targets_of(chosen: Image) -> list[Target]:
    """Return the targets that an image is the flavour of.

    Raises InputError when they want different things of the tree, which can only be one.
    """
    found = [target(name) for name in chosen.targets]
    for other in found[1:]:
        if other.layer != found[0].layer:
            raise InputError(
                f"its targets {found[0].name} and {other.name} have different layers",
                where=str(HERE / f"{chosen.name}.yaml"),
                remedy="give each an image of its own: it is one file, and they share the tree",
            )
    return found


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
