"""build.json: what a build was made of and what it made; the builder writes, all others read.

A folder with a build.json may come from anybody: names in it become paths, and numbers times and
sizes. So both are checked on the way in, and the file is a small regular one or is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from host.beneath.root import Root
from host.errors import InputError

FILE_NAME = "build.json"
DOCUMENT = "document"
"""What a record calls the format of a small text file that travels with an image."""
LIMIT_BYTES = 32 << 20
"""Far more than any build has to tell: 300 packages make some 100 KB."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~-]{0,254}$")]
"""What may be part of a file's name: no slash, no leading dot, nothing that a terminal obeys."""
Time = Annotated[int, Field(ge=0, le=253_402_300_799)]
"""Seconds since 1970, to the end of the year 9999, where Python's calendar ends."""
FileSize = Annotated[int, Field(ge=0, le=1 << 44)]
"""Bytes of a file; 16 TiB are as many as an ext4 takes in one."""
DiskSize = Annotated[int, Field(ge=0, lt=1 << 63)]
Upstream = Literal["accepted", "not-accepted", "external"]
"""What CentOS says of content: it is CentOS's own; a SIG of CentOS makes it, and upstream has not
accepted it; it is of somebody else."""
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class Package(BaseModel):
    """A package of the finished image.

    sha256: of the RPM that it came from; empty for one that a script installed, whose
    `repository` is then "%post".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    epoch: Annotated[int, Field(ge=0, lt=1 << 32)]
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

    format: Name
    file: Name
    size_bytes: FileSize
    sha256: str
    virtual_size_bytes: DiskSize | None = None


class StepRecord(BaseModel):
    """One step of a build: its identity, what it started from, and what it cost.

    after: the step whose result it started from; several formats with the same share it.
    cached: the store had its result. shared_with: other builds of the same run that it was made
    for as well, once for all. duration_s, cpu_s: the time it took, and that of all processors;
    0 when it was made before this run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    digest: str
    after: Name | None = None
    cached: bool
    shared_with: list[Name] = []
    duration_s: Seconds
    cpu_s: Seconds = 0.0


class TargetRecord(BaseModel):
    """What a destination gets of a build, and the metadata that travels with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    title: str
    files: list[Name]
    documents: list[Name] = []
    properties: dict[str, Any] = {}


class RepositoryRecord(BaseModel):
    """A repository as it was when its packages were chosen.

    upstream: what CentOS says of its content. key: the fingerprint that the key of its packages had
    to have; None: the key was made on that host, or nobody vouched. unsigned: the latter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    url: str
    repomd_sha256: str
    upstream: Upstream = "accepted"
    key: Annotated[str, Field(pattern=r"^[0-9A-F]{40}$")] | None = None
    unsigned: bool = False


class Label(BaseModel):
    """Content that upstream has not accepted, or that nobody vouched for: it must say so.

    packages: how many of the image are from there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,255}$")]
    upstream: Upstream
    unsigned: bool = False
    packages: Annotated[int, Field(ge=1, le=1 << 24)]

    @property
    def text(self) -> str:
        """The label, for a person."""
        words = {"accepted": "accepted upstream", "not-accepted": "not accepted upstream",
                 "external": "from outside of CentOS"}[self.upstream]
        signed = ", not signed by anybody" if self.unsigned else ""
        count = "1 package" if self.packages == 1 else f"{self.packages} packages"
        return f"{self.repository}: {count} {words}{signed}"


def labels_of(
    repositories: Sequence[RepositoryRecord], packages: Sequence[Package],
) -> list[Label]:
    """Return the labels that an image of these packages must have, by the repositories' order."""
    counts = Counter(package.repository for package in packages)
    return [Label(repository=one.id, upstream=one.upstream, unsigned=one.unsigned,
                  packages=counts[one.id])
            for one in repositories
            if counts[one.id] and (one.unsigned or one.upstream != "accepted")]


class BuildRecord(BaseModel):
    """Everything that the validator, the publisher and a reader a year later need to know.

    name: the artefacts' common name, such as CentOS-Stream-GenericCloud-10-20261121.0.x86_64.
    build_id: YYYYMMDD.R, the part of the name that changes every night.
    public_path: the folder in the release tree, below its root.
    engine: what made the disk; None: there is none.
    kickstart_sha256: tells whether a kickstart is the same, and nothing of the passwords in it:
    these are masked, the text is hashed and stretched (builder/provenance.py).
    digest: the identity of the whole build; like a step's, where the kickstart has passwords, one
    of the store that it was made in (builder/store/key.py).
    labels: of content that upstream has not accepted; none: all of it is CentOS's.
    tools: name and version of what decides the bytes; "ccis": our own code and the converters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: Name
    image: Name
    flavour: Name
    release: Name
    distribution: Name
    version: Name
    arch: Name
    build_id: Name
    public_path: str
    spec: str
    engine: str | None
    engine_reason: str
    kickstart: str
    kickstart_sha256: str
    digest: str
    source_date_epoch: Time
    repositories: list[RepositoryRecord]
    packages: list[Package]
    labels: list[Label] = []
    artefacts: list[Artefact]
    targets: list[TargetRecord] = []
    steps: list[StepRecord]
    tools: dict[str, str]

    @model_validator(mode="after")
    def _is_labelled(self) -> Self:
        if self.labels != labels_of(self.repositories, self.packages):
            raise ValueError("labels are not those of its repositories and packages")
        return self

    @property
    def is_rehearsal(self) -> bool:
        """Whether the packages are the rehearsal distribution's: its releases are named so."""
        return self.release.startswith("rehearsal-")


def read(folder: Path) -> BuildRecord:
    """Return the record of the build in `folder`; raises InputError when there is no good one."""
    return parse(read_bytes(folder), str(folder / FILE_NAME))


def read_bytes(folder: Path) -> bytes:
    """Return the build.json of a folder as it is; raises InputError for none, or a strange one."""
    try:
        return Root(folder).read(f"/{FILE_NAME}", LIMIT_BYTES)
    except OSError as error:
        raise InputError(
            "is not the folder of a build", where=str(folder), why=str(error),
            remedy="give the folder that `ccis build` printed",
        ) from error


def parse(content: bytes, where: str) -> BuildRecord:
    """Return a record from the content of build.json; raises InputError for what is none.

    where: what to call it in an error.
    """
    try:
        record = BuildRecord.model_validate_json(content)
        json.loads(content, parse_constant=_refuse)  # in what the model does not look into
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError("is not a build record", where=where,
                         why=f"{place}: {first['msg']}"[:300]) from error
    except ValueError as error:
        raise InputError("is not a build record", where=where, why=str(error)[:300]) from error
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON's")


def dump(record: BuildRecord) -> str:
    """Return the record as the text of build.json."""
    return json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
