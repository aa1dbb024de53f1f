"""The gate `approved`: persons other than the one who signs the tree said yes, and signed it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from publish.gates import Case, Closed
from publish.model import GatePassed


class Settings(BaseModel):
    """What a policy may say. persons: how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: Literal["approved"]
    persons: Annotated[int, Field(ge=1, le=20)] = 1


def judge(settings: Settings, case: Case) -> GatePassed:
    """Return who approved. An approval counts for that build, bytes and channel alone."""
    if not case.approvers:
        raise Closed("the policy names nobody who may approve",
                     "put the fingerprints of those persons into `approvers` of a policy of your "
                     "own, and give it with --policy")
    good = {each.fingerprint: each for each in case.approvals
            if each.build == case.build.name and each.to == case.to
            and each.record_sha256 == case.build.record.sha256
            and each.fingerprint in case.approvers and each.fingerprint != case.signing_key}
    if len(good) < settings.persons:
        raise Closed(
            f"{len(good)} of {settings.persons} persons approved it",
            f"one of the policy's approvers, other than the tree's own key, runs `ccis approve "
            f"{case.build.name} --to {case.to}`; give the file with --approval")
    return GatePassed(gate="approved", evidence="approved by " + ", ".join(sorted(good)),
                      document="\n".join(good[each].document for each in sorted(good)))
