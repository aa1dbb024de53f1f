"""The artefact formats: each module in this folder is one, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, cast

from host.errors import InputError
from host.progress import Progress


class Format(Protocol):
    """What a format offers; a module of this folder with these names is one."""

    @property
    def name(self) -> str:
        """How --format and the images' YAML call it."""

    @property
    def extension(self) -> str:
        """The ending of its files, without the dot."""

    def convert(self, raw: Path, destination: Path, progress: Progress) -> None:
        """Make the artefact from a raw disk image; after a failure there is no `destination`.

        The caller starts the step with the format's name and a total of 100, and finishes it;
        the format may advance it. Raises HostError for what the host lacks.
        """

    def identity(self) -> dict[str, str]:
        """Return what shapes the artefact besides the disk: options, the tool's version."""


def _discover() -> dict[str, Format]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [cast(Format, importlib.import_module(f"{__name__}.{name}")) for name in names]
    return {each.name: each for each in found}


FORMATS: dict[str, Format] = _discover()


def get(name: str) -> Format:
    """Return a format; raises InputError when there is none of that name."""
    if name not in FORMATS:
        raise InputError(f"unknown format {name}", remedy="known formats: " + ", ".join(FORMATS))
    return FORMATS[name]
