"""Which images a rule is about: shape, format, architecture, release, rehearsal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from host.patterns import number, pattern

Shape = Literal["disk", "container"]
Firmware = Literal["bios", "uefi"]

_BOUND = r"(>=|<=|<|>)\s*(\d+)"


def _bound(text: str) -> str:
    if pattern(_BOUND).fullmatch(text) is None:
        raise ValueError(f"{text!r} is no bound of releases such as '>=10'")
    return text


Releases = Annotated[str, AfterValidator(_bound)] | Annotated[list[str], Field(min_length=1)]
"""Releases by their major version: a bound such as ">=10", or a list such as ['9', '10']."""


def among(releases: Releases, version: str) -> bool:
    """Tell whether a version, such as "10" or "10.1", is one of these releases.

    One that is no number is in no bound: a rule about releases is not about what has none.
    """
    major = version.partition(".")[0]
    if isinstance(releases, list):
        return major in releases
    match, value = pattern(_BOUND).fullmatch(releases), number(major)
    if match is None or value is None:
        return False
    other = int(match[2])
    return {">=": value >= other, "<=": value <= other, "<": value < other,
            ">": value > other}[match[1]]


class Scope(BaseModel):
    """What a rule is about; what is not given means all.

    shapes: disk, an image with partitions and kernel; container, a bare root tree.
    releases: the releases of the distribution. rehearsal: false for what only CentOS's own
    packages can make true, true for what is asked of the rehearsal distribution alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architectures: list[Literal["x86_64", "aarch64", "ppc64le", "s390x"]] | None = None
    formats: list[str] | None = None
    shapes: list[Shape] | None = None
    firmware: list[Firmware] | None = None
    releases: Releases | None = None
    rehearsal: bool | None = None

    def covers(
        self, *, arch: str, image_format: str, shape: Shape, firmware: Firmware | None = None,
        version: str | None = None, rehearsal: bool = False,
    ) -> bool:
        """Tell whether the rule is about this image.

        firmware: None, no boot is asked about. version: of the distribution, None where nobody
        knows: then every rule about some releases is about it.
        """
        given: list[tuple[Iterable[str] | None, str]] = [
            (self.architectures, arch), (self.formats, image_format), (self.shapes, shape),
        ]
        if firmware is not None:
            given.append((self.firmware, firmware))
        if self.releases is not None and version is not None \
                and not among(self.releases, version):
            return False
        if self.rehearsal is not None and self.rehearsal != rehearsal:
            return False
        return all(allowed is None or value in allowed for allowed, value in given)
