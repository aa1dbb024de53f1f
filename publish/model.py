"""index.json: what a release folder offers, as data; every name in it is checked on the way in."""

from __future__ import annotations

import datetime
import json
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from images.record import BuildRecord, DiskSize, FileSize, Name

INDEX = "index.json"
INDEX_SIGNATURE = "index.json.asc"
CHECKSUM = "CHECKSUM"
SUM_SUFFIX = ".SHA256SUM"
RECORD_SUFFIX = ".build.json"
KEYS = "keys"

_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,254}"
FILE_NAME = re.compile(_NAME)
"""No slash, no leading dot, nothing that a shell or a browser reads in its own way."""

FileName = Annotated[str, Field(pattern=rf"^{_NAME}$")]
FolderPath = Annotated[str, Field(pattern=rf"^{_NAME}(/{_NAME})*$", max_length=1024)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9A-F]{40}$")]
BuildId = Annotated[str, Field(pattern=r"^[0-9]{8}\.[0-9]{1,6}$")]



def _moment(text: str) -> str:
    datetime.datetime.strptime(text, _TIME)
    return text


_TIME = "%Y-%m-%dT%H:%M:%SZ"
Moment = Annotated[str, AfterValidator(_moment)]
"""A time as RFC 3339 writes it in UTC, to the second."""

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class PublishedFile(BaseModel):
    """One artefact. latest_file: its twin's name while it is the newest of its kind, else None."""

    model_config = _FROZEN

    format: Name
    file: FileName
    size_bytes: FileSize
    virtual_size_bytes: DiskSize | None = None
    sha256: Sha256
    latest: bool = False
    latest_file: FileName | None = None


class RecordFile(BaseModel):
    """The published build.json of a build: its inputs, and its packages with their checksums."""

    model_config = _FROZEN

    file: FileName
    size_bytes: FileSize
    sha256: Sha256


class PublishedBuild(BaseModel):
    """One build and its files. published: the time of its sources, so the same in each re-make."""

    model_config = _FROZEN

    name: FileName
    image: Name
    flavour: Name
    distribution: Name
    release: Name
    version: Name
    arch: Name
    build_id: BuildId
    digest: str
    published: Moment
    record: RecordFile
    files: list[PublishedFile]

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What this build is one of: builds of one series differ in their build id alone."""
        return (self.distribution, self.flavour, self.version, self.arch)

    @property
    def order(self) -> tuple[int, int]:
        """Its place within the series: the greater, the newer."""
        day, _, respin = self.build_id.partition(".")
        return (int(day), int(respin))


class Index(BaseModel):
    """The whole of index.json.

    path: the folder's own place below the root of the tree, so that a signed folder can't be
    served in another one's place. signing_key: the fingerprint of the key in
    keys/<fingerprint>.asc.
    """

    model_config = _FROZEN

    schema_version: Literal[1] = 1
    path: FolderPath
    signing_key: Fingerprint
    builds: list[PublishedBuild]

    def dump(self) -> str:
        """Return the text of index.json."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"


def published_epoch(build: PublishedBuild) -> float:
    """Return the published time in seconds since 1970, for the files' own times."""
    return datetime.datetime.fromisoformat(build.published).timestamp()


def published_time(record: BuildRecord) -> str:
    """Return the time that index.json gives a build, as RFC 3339 in UTC."""
    moment = datetime.datetime.fromtimestamp(record.source_date_epoch, datetime.UTC)
    return moment.strftime(_TIME)


def latest_name(build: PublishedBuild, file: str) -> str:
    """Return the name under which the newest build's file is served besides its own."""
    stem = f"{build.distribution}-{build.flavour}-{build.version}-latest.{build.arch}"
    return stem + file.removeprefix(build.name)


def with_latest(builds: list[PublishedBuild]) -> list[PublishedBuild]:
    """Return builds, oldest first within a series, with the latest flags where they belong.

    Latest is decided per kind of file, so that a night without a Vagrant box leaves the newest
    box there is under its -latest name.
    """
    newest: dict[str, str] = {}
    ordered = sorted(builds, key=lambda build: (build.series, build.order))
    for build in ordered:
        for file in build.files:
            newest[latest_name(build, file.file)] = file.file
    return [
        build.model_copy(update={"files": [_flagged(build, file, newest) for file in build.files]})
        for build in ordered
    ]


def _flagged(build: PublishedBuild, file: PublishedFile, newest: dict[str, str]) -> PublishedFile:
    twin = latest_name(build, file.file)
    is_latest = newest[twin] == file.file
    return file.model_copy(
        update={"latest": is_latest, "latest_file": twin if is_latest else None},
    )
