"""An image that we ship: kickstart, disk, the formats it comes in, the spec it must meet."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from images.bounds import Bounds
from images.sizes import parse_size


class Image(BaseModel):
    """One file of images/*.yaml.

    name: how the command line calls it, equal to the file's name.
    flavour: the word in the published file names, such as GenericCloud.
    kickstart: a file in kickstarts/, the same one for every release.
    shape: disk, with partitions, kernel and boot loader; container, a root tree and nothing else.
    disk_size: the virtual size of the disk, such as "10 GiB"; a container has none.
    targets: the destinations that this image is the flavour of; what they change in the tree
    (their layer) is the same for all of them.
    formats: the artefacts that a build makes unless told otherwise; empty: those of the targets.
    spec: a file in specs/, without its ending.
    network_in_post: whether %post may use the network, which is then the host's own with all its
    sockets; off unless the image needs it.
    installer_arguments: what %pre and --nochroot scripts find in /proc/cmdline behind inst.ks,
    as if it had been typed at the installer's boot prompt, such as "inst.lang=de_DE role=web".
    bounds: what scripts and scriptlets may use of the building host.
    scriptlets_may_fail: packages with a scriptlet whose work the image can do without.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    flavour: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    summary: str
    kickstart: str
    shape: Literal["disk", "container"] = "disk"
    disk_size: str | None = None
    targets: list[str] = []
    formats: list[str] = []
    spec: str = "baseline"
    network_in_post: bool = False
    installer_arguments: str = Field(default="", pattern=r"^[^\n]*$")
    bounds: Bounds = Bounds()
    scriptlets_may_fail: list[str] = []

    @field_validator("disk_size")
    @classmethod
    def _is_a_size(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.shape == "disk" and self.disk_size is None:
            raise ValueError("disk_size is missing, which only a container does without")
        if self.shape == "container" and self.disk_size is not None:
            raise ValueError("disk_size: a container has no disk")
        if not self.formats and not self.targets:
            raise ValueError("neither formats nor targets: there is nothing to make")
        return self

    @property
    def disk_size_bytes(self) -> int:
        """The virtual size of the disk, 0 without one."""
        return parse_size(self.disk_size) if self.disk_size else 0
