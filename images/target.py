"""A destination that images are made for: what it takes, its rules, what travels with the file."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from images.release import Architecture
from images.sizes import parse_size

Scalar = bool | int | str
Properties = dict[str, Scalar | list[Scalar]]


class DiskRule(BaseModel):
    """What a destination demands of the disk's virtual size; None: nothing.

    multiple: the size is a whole number of these, such as "1 GiB" (Google Compute Engine).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    multiple: str | None = None
    minimum: str | None = None
    maximum: str | None = None

    @field_validator("multiple", "minimum", "maximum")
    @classmethod
    def _is_a_size(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value

    def objection(self, size_bytes: int) -> str | None:
        """Return why a disk of this size is not taken, None when it is."""
        if self.multiple and size_bytes % parse_size(self.multiple):
            return f"it must be a whole number of {self.multiple}"
        if self.minimum and size_bytes < parse_size(self.minimum):
            return f"it must be at least {self.minimum}"
        if self.maximum and size_bytes > parse_size(self.maximum):
            return f"it must be at most {self.maximum}"
        return None


class Layer(BaseModel):
    """What a destination changes in the root tree: a layer over the one that all share.

    data_sources: where cloud-init looks for its data, in this order; empty: it finds out itself.
    data_source_settings: options of a data source, by its name (cloud-init's `datasource`).
    default_user: the account that cloud-init makes, where the destination's users expect another
    name than cloud-user.
    packages: installed on top, with what they require.
    kernel_arguments: added to the kernel's command line, such as a console.
    services: units that are enabled.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_sources: list[str] = []
    data_source_settings: dict[str, dict[str, Scalar | list[Scalar]]] = {}
    default_user: str | None = Field(default=None, pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    packages: list[str] = []
    kernel_arguments: list[str] = []
    services: list[str] = []

    @model_validator(mode="after")
    def _belongs_to_sources(self) -> Self:
        if stray := sorted(set(self.data_source_settings) - set(self.data_sources)):
            raise ValueError(f"data_source_settings: {stray[0]} is not one of data_sources")
        if self.default_user and not self.data_sources:
            raise ValueError("default_user: cloud-init makes it, and there are no data_sources")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing, so that the shared tree is the destination's own."""
        return self == Layer()


class Target(BaseModel):
    """One file of images/targets/*.yaml.

    formats: the artefacts that the destination takes, the best one first.
    accepts: more formats that it takes, made when --format asks for them.
    drivers: kernel modules that the initramfs must have for the destination's disk and network;
    "a|b" where either will do.
    properties: metadata that travels with the image (Glance properties, AMI flags, …); they are
    written into build.json. {version}, {arch} and the like stand for what the image is.
    by_architecture: properties that hold for one architecture, over those for all.
    documents: small text files that travel with it, by the ending of their name: Jinja2
    templates that know `name` (of the build), `about` (builder.artefact.About), `files` (the
    artefacts' names by format) and `properties`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    formats: list[str] = Field(min_length=1)
    accepts: list[str] = []
    disk: DiskRule = DiskRule()
    layer: Layer = Layer()
    drivers: list[str] = []
    properties: Properties = {}
    by_architecture: dict[Architecture, Properties] = {}
    documents: dict[str, str] = {}

    def properties_for(self, arch: str) -> Properties:
        """Return the properties of an image for this architecture, placeholders and all."""
        own = next((more for name, more in self.by_architecture.items() if name == arch), {})
        return {**self.properties, **own}
