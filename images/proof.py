"""report.json: what was proven of a build's artefacts, written by `ccis validate` and `boot`.

It lies beside build.json. What it says is about bytes: each entry names the SHA-256 of the artefact
that was looked at, and counts for no other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from host.beneath.root import Root
from host.beneath.walk import NOT_THERE
from host.errors import InputError
from host.files import write_atomically
from images.record import Name

FILE_NAME = "report.json"
_LIMIT_BYTES = 4 << 20
_FROZEN = ConfigDict(extra="forbid", frozen=True)


class Proof(BaseModel):
    """One validation of one artefact. firmware: what it was started by; None: not started.

    failed: the ids of the rules that keep it from being published.
    """

    model_config = _FROZEN

    artefact: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    spec: Name
    firmware: Name | None = None
    passed: bool
    failed: list[Annotated[str, Field(max_length=200)]] = []


class Proofs(BaseModel):
    """The whole of report.json: the last proof of each artefact, spec and firmware."""

    model_config = _FROZEN

    schema_version: Literal[1] = 1
    proofs: list[Proof] = []


def read(folder: Path) -> list[Proof]:
    """Return what was proven of the build in a folder; none when nobody tried.

    Raises InputError for a report.json that is none.
    """
    where = str(folder / FILE_NAME)
    try:
        content = Root(folder).read(f"/{FILE_NAME}", _LIMIT_BYTES)
    except OSError as error:
        if error.errno in NOT_THERE:
            return []
        raise InputError("can't be read", where=where, why=error.strerror) from error
    try:
        return Proofs.model_validate_json(content).proofs
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError("is not a report of proofs", where=where,
                         why=f"{place}: {first['msg']}"[:300],
                         remedy="remove it, and run `ccis validate` again") from error


def add(folder: Path, proofs: list[Proof]) -> None:
    """Put proofs into a build's folder, in the place of earlier ones of the same kind."""
    kept = {_kind(proof): proof for proof in [*read(folder), *proofs]}
    value = Proofs(proofs=[kept[kind] for kind in sorted(kept)]).model_dump(mode="json")
    write_atomically(folder / FILE_NAME, json.dumps(value, indent=2, sort_keys=True) + "\n")


def _kind(proof: Proof) -> tuple[str, str, str]:
    return (proof.artefact, proof.spec, proof.firmware or "")
