"""The inputs of a step, which decide its result: what all steps have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from images.bounds import DEFAULTS, Bounds


class Inputs(BaseModel):
    """What decides a step's result: hashed as a whole, as JSON.

    A field of a type that is no model, such as Kickstart, says with a serializer what of it counts;
    a place in a file (`where`) never does.
    epoch: SOURCE_DATE_EPOCH, the only time that may get into a result.
    root_device: what programs of the tree find in /proc/mounts for its /.
    bounds: what programs of the tree may use; it decides whether there is a result, not which.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    may_hold_secrets: ClassVar[tuple[str, ...]] = ()
    """The fields whose digest has to be made with the store's key where they hold a secret."""

    epoch: int
    root_device: str = "overlay"
    bounds: Bounds = Field(default=DEFAULTS, exclude=True)

    def is_secret(self, name: str) -> bool:
        """Say whether a field is a secret for sure; what looks like one is found out anyway."""
        return False

    def as_json(self) -> dict[str, Any]:
        """Return what is hashed, by the names of the fields."""
        return self.model_dump(mode="json")
