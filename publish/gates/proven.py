"""The gate `proven`: an artefact of the build passed its spec, and none failed it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from publish.gates import Case, Closed
from publish.model import GatePassed


class Settings(BaseModel):
    """What a policy may say. every: not one artefact but each must have passed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: Literal["proven"]
    every: bool = False


def judge(settings: Settings, case: Case) -> GatePassed:
    """Return which artefacts passed; an --unproven build passes by its reason in development."""
    build = case.build
    if build.unproven is not None and case.to == "development":
        return GatePassed(gate="proven", evidence=f"not proven: {build.unproven}"[:500])
    offline = [proof for proof in build.proofs if proof.firmware is None]
    for proof in offline:
        if not proof.passed:
            raise Closed(f"{proof.artefact} fails {proof.spec}: {', '.join(proof.failed[:5])}",
                         "mend the image and build again")
    proven = {proof.artefact for proof in offline}
    missing = [file.file for file in build.files if file.file not in proven]
    if not proven or (settings.every and missing):
        raise Closed(f"nobody proved {missing[0] if proven else build.name}",
                     "run `ccis validate` on the build's folder; or, into development, give "
                     "--unproven REASON")
    return GatePassed(gate="proven", evidence=f"passed {offline[0].spec}: "
                      + ", ".join(sorted(proven))[:400])
