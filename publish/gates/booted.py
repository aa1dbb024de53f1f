"""The gate `booted`: the build was started by each of these firmwares and passed its spec then."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from publish.gates import Case, Closed
from publish.model import GatePassed


class Settings(BaseModel):
    """What a policy may say. firmware: each of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: Literal["booted"]
    firmware: Annotated[list[Literal["bios", "uefi"]], Field(min_length=1)] = ["bios", "uefi"]


def judge(settings: Settings, case: Case) -> GatePassed:
    """Return what was started by what."""
    found = []
    for firmware in settings.firmware:
        proofs = [proof for proof in case.build.proofs if proof.firmware == firmware]
        failed = next((proof for proof in proofs if not proof.passed), None)
        if failed is not None:
            raise Closed(f"{failed.artefact} started by {firmware} fails: "
                         f"{', '.join(failed.failed[:5])}", "mend the image and build again")
        if not proofs:
            raise Closed(f"nobody started it by {firmware}",
                         "run `ccis boot` on the build's folder, and give that with --build")
        found.append(f"{proofs[0].artefact} by {firmware}")
    return GatePassed(gate="booted", evidence=", ".join(found)[:500])
