"""A repository that a kickstart may name: who stands behind it, where it is, whose key signs it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from images.record import Upstream
from images.release import Architecture, SigningKey


class Offer(BaseModel):
    """What a repository has for some releases: its mirrors, and a key where it differs.

    `{arch}`, `{version}` (of the release) and `{rehearsals}` (the folder of the rehearsal
    releases) in URLs stand for these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    releases: list[str] = Field(min_length=1)
    architectures: list[Architecture] = Field(min_length=1)
    mirrors: list[str] = Field(min_length=1)
    key: SigningKey | None = None
    signed_metadata: bool = False


class NamedRepository(BaseModel):
    """One file of images/repositories/*.yaml, or of `--repository`: `repo --name=NAME` means it.

    upstream: content that is not "accepted" is labelled, in records, indexes and reports.
    licences: under which licences its content is, by whose rules, in words.
    key: signs its packages, and no others. offers: the first that fits counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    title: str
    upstream: Upstream
    licences: str
    key: SigningKey | None = None
    offers: list[Offer] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if self.key is None and not all(offer.key for offer in self.offers):
            raise ValueError("key is missing, and an offer has none of its own")
        return self

    def offer(self, release: str, arch: str) -> Offer | None:
        """Return what there is for a release and an architecture."""
        return next((offer for offer in self.offers
                     if release in offer.releases and arch in offer.architectures), None)

    def key_of(self, offer: Offer) -> SigningKey:
        """Return the key that signs what is offered."""
        key = offer.key or self.key
        assert key is not None, "the model sees to it"
        return key

    @property
    def scope(self) -> str:
        """What it is for, in words: each release with its architectures."""
        return "; ".join(f"{', '.join(offer.releases)} ({', '.join(offer.architectures)})"
                         for offer in self.offers)
