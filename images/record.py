"""build.json: what a build was made of and what it made; the builder writes, all others read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

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
    """One file of a build; a format may have several. Its cost stands at the step of its format.

    virtual_size_bytes: the disk that a guest sees; None: not a disk.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    file: str
    size_bytes: int
    sha256: str
    virtual_size_bytes: int | None = None


class StepRecord(BaseModel):
    """One step of a build: its identity, what it started from, and what it cost.

    after: the step whose result it started from; several formats with the same share it.
    cached: the store had its result. shared_with: other builds of the same run that it was made
    for as well, once for all. duration_s, cpu_s: the time it took, and that of all processors;
    0 when it was made before this run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    digest: str
    after: str | None = None
    cached: bool
    shared_with: list[str] = []
    duration_s: float
    cpu_s: float = 0.0


class TargetRecord(BaseModel):
    """What a destination gets of a build, and the metadata that travels with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    files: list[str]
    documents: list[str] = []
    properties: dict[str, Any] = {}


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
    engine: what made the disk; None: there is none.
    kickstart_sha256: tells whether a kickstart is the same, and nothing of the passwords in it:
    these are masked, the text is hashed and stretched (builder/recording.py).
    digest: the identity of the whole build; like a step's, where the kickstart has passwords, one
    of the store that it was made in (builder/store_key.py).
    tools: name and version of what decides the bytes; "ccis": our own code and the converters.
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
    engine: Literal["direct", "guestfs"] | None
    engine_reason: str
    kickstart: str
    kickstart_sha256: str
    digest: str
    source_date_epoch: int
    repositories: list[RepositoryRecord]
    packages: list[Package]
    artefacts: list[Artefact]
    targets: list[TargetRecord] = []
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
