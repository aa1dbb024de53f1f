"""The gate `signed-by`: the tree is signed with one of these keys, and no other."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from publish.gates import Case, Closed
from publish.model import Fingerprint, GatePassed


class Settings(BaseModel):
    """What a policy may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: Literal["signed-by"]
    keys: list[Fingerprint]


def judge(settings: Settings, case: Case) -> GatePassed:
    """Return the key."""
    if case.signing_key not in settings.keys:
        raise Closed(f"the tree would be signed by {case.signing_key}",
                     "sign with " + " or ".join(settings.keys))
    return GatePassed(gate="signed-by", evidence=case.signing_key)
