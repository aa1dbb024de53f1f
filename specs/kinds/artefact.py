"""Checks on the artefact as a file, before anything inside it is looked at."""

from __future__ import annotations

from datetime import date
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


class Qcow2Features(Check):
    """A qcow2 is of version 3, whole, and packed so; it holds no snapshots and no bitmaps.

    compression: how clusters are packed. Another format has nothing to look at.
    """

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["qcow2_features"] = "qcow2_features"
    compression: tuple[Literal["zlib", "zstd"], ...] = ("zlib", "zstd")


class ArtefactSize(Check):
    """The file takes at most so many bytes."""

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["artefact_size"] = "artefact_size"
    max_bytes: Annotated[int, Field(gt=0)]


class ReleaseSupported(Check):
    """The release is maintained for so many days more, by the end that is given for its version."""

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["release_supported"] = "release_supported"
    ends: dict[str, date]
    days: Annotated[int, Field(ge=0)]


class ArtefactContainer(Check):
    """The file is the container that its format promises, complete and with nothing strange in it.

    Each format has its own reader (validate/containers/), which says what is wrong.
    """

    tier: ClassVar[Tier] = "artefact"
    kind: Literal["artefact_container"] = "artefact_container"
