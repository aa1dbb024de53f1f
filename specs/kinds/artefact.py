"""Checks on the artefact as a file, before anything inside it is looked at."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from specs.kind import Check, Tier


class ArtefactFormat(Check):
    """The content is of the format that the file's name promises."""

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["artefact_format"] = "artefact_format"


class ArtefactSelfContained(Check):
    """No backing file and no external data file: what is published is the whole disk."""

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["artefact_self_contained"] = "artefact_self_contained"


class ArtefactSound(Check):
    """`qemu-img check` finds no error and no leaked cluster."""

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["artefact_sound"] = "artefact_sound"


class ArtefactVirtualSize(Check):
    """The disk that a guest sees is a whole multiple of this, and not larger than `max_bytes`."""

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["artefact_virtual_size"] = "artefact_virtual_size"
    multiple_bytes: Annotated[int, Field(gt=0)]
    max_bytes: Annotated[int, Field(gt=0)]


class ArtefactRecorded(Check):
    """The file has the size, digest and virtual size that build.json gives."""

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["artefact_recorded"] = "artefact_recorded"
