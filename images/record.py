"""build.json: what a build was made of and what it made; the builder writes, all others read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from host.errors import InputError

FILE_NAME = "build.json"


class Package(BaseModel):
    """A package of the finished image.

    sha256: of the RPM that it came from; empty for one that a script installed, whose
    `repository` is then "%post".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    epoch: int
    version: str
    release: str
    arch: str
    repository: str
    sha256: str

    @property
    def nevra(self) -> str:
        """The name as `rpm -qa` prints it: epochs are not shown."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}"


class Artefact(BaseModel):
    """One file of a build. virtual_size_bytes: the disk that a guest sees; None: not a disk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    file: str
    size_bytes: int
    sha256: str
    virtual_size_bytes: int | None = None


class StepRecord(BaseModel):
    """One step of a build: its identity, whether the store had it, and the time it took."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    digest: str
    cached: bool
    duration_s: float


class RepositoryRecord(BaseModel):
    """A repository as it was when its packages were chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    url: str
    repomd_sha256: str


class BuildRecord(BaseModel):
    """Everything that the validator, the publisher and a reader a year later need to know.

    name: the artefacts' common name, such as CentOS-Stream-GenericCloud-10-20261121.0.x86_64.
    build_id: YYYYMMDD.R, the part of the name that changes every night.
    public_path: the folder in the release tree, below its root.
    digest: the identity of the whole build.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str
    image: str
    flavour: str
    release: str
    distribution: str
    version: str
    arch: str
    build_id: str
    public_path: str
    spec: str
    engine: Literal["direct", "guestfs"]
    engine_reason: str
    kickstart: str
    kickstart_sha256: str
    digest: str
    source_date_epoch: int
    repositories: list[RepositoryRecord]
    packages: list[Package]
    artefacts: list[Artefact]
    steps: list[StepRecord]
    tools: dict[str, str]


def read(folder: Path) -> BuildRecord:
    """Return the record of the build in `folder`; raises InputError when there is no good one."""
    path = folder / FILE_NAME
    try:
        return BuildRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "is not the folder of a build", where=str(folder), why=str(error),
            remedy="give the folder that `ccis build` printed",
        ) from error
    except ValidationError as error:
        raise InputError("is not a build record", where=str(path), why=str(error)) from error


def dump(record: BuildRecord) -> str:
    """Return the record as the text of build.json."""
    return json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
