"""A policy: by which gates builds get into channels, how long they stay, how often they come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from host.errors import InputError
from host.yaml_files import load
from images.record import Name
from publish.gates import Gate, parse_gate
from publish.model import CHANNELS, Channel, Fingerprint, TreeUrl

FOLDER = Path(__file__).with_name("policy")
_FROZEN = ConfigDict(extra="forbid", frozen=True)


class Retention(BaseModel):
    """How long builds stay. keep_last: so many of the newest of each series in each channel.

    minimum_age_days: since the build was published. grace_hours: between the announcement in the
    index and the removal of the files.
    """

    model_config = _FROZEN

    keep_last: Annotated[int, Field(ge=1)]
    minimum_age_days: Annotated[int, Field(ge=0, le=36500)] = 0
    grace_hours: Annotated[int, Field(ge=0, le=8760)] = 24


class Freshness(BaseModel):
    """How often a new build is expected in the last channel of a policy."""

    model_config = _FROZEN

    interval_hours: Annotated[int, Field(ge=1, le=87600)]


class ChannelPolicy(BaseModel):
    """What a build must have passed to be offered in a channel."""

    model_config = _FROZEN

    gates: list[Gate] = []

    @model_validator(mode="before")
    @classmethod
    def _typed_gates(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("gates", []), list):
            return value
        return {**value, "gates": [parse_gate(each) for each in value.get("gates", [])]}


class Policy(BaseModel):
    """The whole of a file of publish/policy. approvers: fingerprints of who may approve.

    url: where the root of the tree is served, for indexes that need whole addresses.
    """

    model_config = _FROZEN

    name: Name
    title: str
    publish_into: Channel
    channels: dict[Channel, ChannelPolicy]
    approvers: list[Fingerprint] = []
    retention: Retention | None = None
    freshness: Freshness | None = None
    url: TreeUrl | None = None

    @property
    def order(self) -> list[Channel]:
        """The policy's channels, from the least proven to the most."""
        return [channel for channel in CHANNELS if channel in self.channels]


def load_policy(name_or_file: str) -> Policy:
    """Return a policy by its name, or from a file that is given by its path.

    Raises InputError for a policy that is not there or is none.
    """
    path = Path(name_or_file)
    if "/" not in name_or_file and not name_or_file.endswith(".yaml"):
        path = FOLDER / f"{name_or_file}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.yaml")))
            raise InputError(f"there is no policy {name_or_file}", where="--policy",
                             remedy=f"there are: {known}; or give a file, as in ./own.yaml")
    policy = load(path, Policy)
    if policy.publish_into not in policy.channels:
        raise InputError(f"publishes into {policy.publish_into}, which it does not describe",
                         where=str(path))
    return policy
