"""index.json: what a release folder offers, as data; every name in it is checked on the way in."""

from __future__ import annotations

import datetime
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from images.proof import Proof
from images.record import BuildRecord, DiskSize, FileSize, Label, Name

INDEX = "index.json"
INDEX_SIGNATURE = "index.json.asc"
CHECKSUM = "CHECKSUM"
SUM_SUFFIX = ".SHA256SUM"
RECORD_SUFFIX = ".build.json"
PROVENANCE_SUFFIX = ".intoto.json"
KEYS = "keys"
SCHEMA = 2

_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,254}"
FILE_NAME = re.compile(_NAME)
"""No slash, no leading dot, nothing that a shell or a browser reads in its own way."""

FileName = Annotated[str, Field(pattern=rf"^{_NAME}$")]
FolderPath = Annotated[str, Field(pattern=rf"^{_NAME}(/{_NAME})*$", max_length=1024)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9A-F]{40}$")]
BuildId = Annotated[str, Field(pattern=r"^[0-9]{8}\.[0-9]{1,6}$")]

Channel = Literal["development", "testing", "production"]
CHANNELS: tuple[Channel, ...] = ("development", "testing", "production")
"""From the least proven to the most; a build in one has been in all before it."""

ALIAS_WORDS: dict[Channel, str] = {
    "development": "development", "testing": "testing", "production": "latest",
}
"""What stands in place of the build id in the name of the newest file of a channel."""


def _moment(text: str) -> str:
    datetime.datetime.strptime(text, _TIME)
    return text


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has characters that can't be printed")
    return text


_TIME = "%Y-%m-%dT%H:%M:%SZ"
Moment = Annotated[str, AfterValidator(_moment)]
"""A time as RFC 3339 writes it in UTC, to the second."""
Line = Annotated[str, Field(max_length=500), AfterValidator(_line)]
"""Words of a person, for people: one line."""

TreeUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~-]+)*$",
                               max_length=500)]
"""Where a tree is served, without a slash at its end."""

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class PublishedFile(BaseModel):
    """One artefact.

    aliases: its other names, while it is the newest of its kind in a channel: "latest" in place
    of the build id for production, "testing" and "development" for these.
    latest, latest_file: the same for production alone.
    """

    model_config = _FROZEN

    format: Name
    file: FileName
    size_bytes: FileSize
    virtual_size_bytes: DiskSize | None = None
    sha256: Sha256
    latest: bool = False
    latest_file: FileName | None = None
    aliases: list[FileName] = []


class RecordFile(BaseModel):
    """A file about a build, such as its build.json: its inputs, and its packages with their sums.
    """

    model_config = _FROZEN

    file: FileName
    size_bytes: FileSize
    sha256: Sha256


class GatePassed(BaseModel):
    """A gate of the policy that a build passed on its way into a channel, and what showed it."""

    model_config = _FROZEN

    gate: Name
    evidence: Line
    document: Annotated[str, Field(max_length=65536)] = ""


class Event(BaseModel):
    """Something that happened to a build in the tree; channel: the one that it is in since then."""

    model_config = _FROZEN

    at: Moment
    action: Name
    channel: Channel | None = None
    reason: Line = ""
    gates: list[GatePassed] = []


class Deprecation(BaseModel):
    """Why a build should no longer be taken, and which one instead."""

    model_config = _FROZEN

    since: Moment
    reason: Line = ""
    replaced_by: FileName | None = None


class Withdrawal(BaseModel):
    """Why a build must no longer be used. Its files are gone, its entry stays."""

    model_config = _FROZEN

    since: Moment
    reason: Line


class PublishedBuild(BaseModel):
    """One build and its files. published: the time of its sources, so the same in each re-make.

    channel: the highest one that it has reached. pinned: retention leaves it alone.
    leaves: retention removes its files at the first opportunity after this time; until then they
    are there for whoever has an older index at hand.
    unproven: why it was published without proof; None: it was proven.
    labels: of content that upstream has not accepted, or that nobody vouched for.
    proofs: of its artefacts, as they were when it was published or promoted.
    history: what happened to it, oldest first.
    provenance: the signed in-toto statement, in a tree with a chain of trust.
    """

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
    channel: Channel = "production"
    pinned: bool = False
    leaves: Moment | None = None
    deprecated: Deprecation | None = None
    withdrawn: Withdrawal | None = None
    unproven: Line | None = None
    labels: list[Label] = []
    proofs: list[Proof] = []
    history: list[Event] = []
    record: RecordFile
    provenance: RecordFile | None = None
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

    @property
    def served(self) -> list[PublishedFile]:
        """The artefacts that lie in the folder: none once the build was withdrawn."""
        return [] if self.withdrawn else self.files

    @property
    def documents(self) -> list[RecordFile]:
        """The files about it: its record, and its provenance if there is one."""
        return [self.record, *([self.provenance] if self.provenance else [])]

    def reached(self, channel: Channel) -> bool:
        """Say whether a channel may offer it: it has got there, and is not on its way out."""
        return (not self.withdrawn and self.leaves is None
                and CHANNELS.index(self.channel) >= CHANNELS.index(channel))


class Index(BaseModel):
    """The whole of index.json.

    path: the folder's own place below the root of the tree, so that a signed folder can't be
    served in another one's place. signing_key: the fingerprint of the key in
    keys/<fingerprint>.asc.
    revision: grows by one with each change. updated: when that was, later than any time before:
    names whose content changed carry it as their time, so that no two contents of one name have
    the same (mirrors and caches compare size and time alone).
    channels: those of the policy, which is named. url: where the root of the tree is served.
    interval_hours: how often a new build is expected in the last channel.
    """

    model_config = _FROZEN

    schema_version: Literal[2] = 2
    path: FolderPath
    signing_key: Fingerprint
    revision: Annotated[int, Field(ge=0, lt=1 << 53)] = 0
    updated: Moment = "1970-01-01T00:00:00Z"
    policy: Name = "rehearsal"
    channels: list[Channel] = ["production"]
    url: TreeUrl | None = None
    interval_hours: Annotated[int, Field(ge=1, le=87600)] | None = None
    builds: list[PublishedBuild]

    def dump(self) -> str:
        """Return the text of index.json."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"


def names_of(index: Index) -> set[str]:
    """Return the names of all files in the folder of an index."""
    names = {INDEX, INDEX_SIGNATURE, CHECKSUM}
    for build in index.builds:
        names |= {document.file for document in build.documents}
        for file in build.served:
            for name in (file.file, *file.aliases):
                names |= {name, name + SUM_SUFFIX}
    return names


class IndexProblem(ValueError):  # noqa: N818  # a problem of the file's, told as the end of a sentence
    """The content is no index that can be used; the text says why, as the end of a sentence."""


def parse_index(content: bytes) -> Index:
    """Return the index in a file's content, one of the first schema too.

    Raises IndexProblem.
    """
    try:
        value = json.loads(content)
        version = value.get("schema_version") if isinstance(value, dict) else None
        if isinstance(version, int) and version > SCHEMA:
            raise IndexProblem(f"its schema {version} is newer than {SCHEMA}, the newest that this "
                               "ccis knows: update ccis")
        if version == 1:
            return Index.model_validate(_of_schema_1(value))
        return Index.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise IndexProblem(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from error
    except IndexProblem:
        raise
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        raise IndexProblem(str(error)[:300]) from error


def _of_schema_1(value: dict[str, Any]) -> dict[str, Any]:
    """Return what an index of the first schema says in the second: all of it is in production."""
    builds = []
    for build in value["builds"]:
        files = [{**file, "aliases": [file["latest_file"]] if file.get("latest_file") else []}
                 for file in build["files"]]
        builds.append({**build, "files": files})
    return {**value, "schema_version": SCHEMA, "builds": builds}


def epoch(moment: str) -> int:
    """Return a moment in seconds since 1970."""
    return int(datetime.datetime.fromisoformat(moment).timestamp())


def moment(epoch_s: float) -> str:
    """Return a time in seconds since 1970 as RFC 3339 in UTC."""
    return datetime.datetime.fromtimestamp(int(epoch_s), datetime.UTC).strftime(_TIME)


def published_time(record: BuildRecord) -> str:
    """Return the time that index.json gives a build, as RFC 3339 in UTC."""
    return moment(record.source_date_epoch)


def alias_name(build: PublishedBuild, file: str, channel: Channel) -> str:
    """Return the name under which a channel's newest build's file is served besides its own."""
    stem = f"{build.distribution}-{build.flavour}-{build.version}-{ALIAS_WORDS[channel]}"
    return f"{stem}.{build.arch}" + file.removeprefix(build.name)


def with_aliases(builds: list[PublishedBuild], channels: list[Channel]) -> list[PublishedBuild]:
    """Return builds, oldest first within a series, with the names that they have in the channels.

    The newest is decided per kind of file, so that a night without a Vagrant box leaves the newest
    box there is under its -latest name. A deprecated build has a channel's name only as long as
    there is no other.
    """
    newest: dict[str, str] = {}
    ordered = sorted(builds, key=lambda build: (build.series, build.order))
    for build in sorted(ordered, key=lambda build: build.deprecated is None):
        for channel in channels:
            if build.reached(channel):
                newest |= {alias_name(build, file.file, channel): file.file
                           for file in build.files}
    return [
        build.model_copy(update={
            "files": [_named(build, file, newest, channels) for file in build.files]})
        for build in ordered
    ]


def _named(
    build: PublishedBuild, file: PublishedFile, newest: dict[str, str], channels: list[Channel],
) -> PublishedFile:
    def has(channel: Channel) -> bool:
        return (channel in channels
                and newest.get(alias_name(build, file.file, channel)) == file.file)

    latest = alias_name(build, file.file, "production") if has("production") else None
    aliases = [alias_name(build, file.file, channel) for channel in reversed(CHANNELS)
               if has(channel)]
    return file.model_copy(
        update={"latest": latest is not None, "latest_file": latest, "aliases": aliases})
