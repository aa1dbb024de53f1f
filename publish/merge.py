"""Joins new builds with what a release folder offers already: which files stay, come and go."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from host.errors import InputError
from images import proof
from images import record as build_record
from images.record import BuildRecord
from publish.model import (
    PROVENANCE_SUFFIX,
    RECORD_SUFFIX,
    SUM_SUFFIX,
    Index,
    PublishedBuild,
    PublishedFile,
    RecordFile,
    published_time,
)
from publish.policies import Policy


@dataclass(frozen=True)
class Build:
    """A build that is to be published. record_text: its build.json, byte for byte.

    provenance: the signed statement about it, None in a tree without a chain of trust.
    """

    folder: Path
    record: BuildRecord
    record_text: bytes
    entry: PublishedBuild
    provenance: bytes | None = None

    @property
    def public_path(self) -> str:
        """The folder it belongs in, below the root of the tree."""
        return f"{self.record.public_path}/{self.record.arch}/images"


def read_build(folder: Path, formats: Collection[str] | None = None) -> Build:
    """Return the build in a folder, checked against what may be published.

    formats: publish these artefacts alone; None: all. Raises InputError for a folder, record or
    file name that is not a build's.
    """
    where = str(folder / build_record.FILE_NAME)
    text = build_record.read_bytes(folder)
    record = build_record.parse(text, where)
    name = (f"{record.distribution}-{record.flavour}-{record.version}-{record.build_id}"
            f".{record.arch}")
    if record.name != name:
        raise InputError(f"the name of the build is {record.name}, its parts make {name}",
                         where=where)
    known = {artefact.format for artefact in record.artefacts}
    wanted = known if formats is None else set(formats)
    if not wanted or wanted - known:
        raise InputError(
            f"has no artefact in the format {', '.join(sorted(wanted - known))}" if wanted
            else "has no artefact", where=str(folder), remedy="it has: " + ", ".join(sorted(known)),
        )
    artefacts = [artefact for artefact in record.artefacts if artefact.format in wanted]
    for artefact in artefacts:
        # A name that the index or a .SHA256SUM file has for its own would hide one of the two.
        if (not artefact.file.startswith(name + ".")
                or artefact.file.endswith((SUM_SUFFIX, RECORD_SUFFIX, PROVENANCE_SUFFIX))):
            raise InputError(f"the artefact {artefact.file} can't be published under that name",
                             where=where)
    try:
        entry = PublishedBuild(
            name=record.name, image=record.image, flavour=record.flavour,
            distribution=record.distribution, release=record.release, version=record.version,
            arch=record.arch, build_id=record.build_id, digest=record.digest,
            published=published_time(record),
            record=RecordFile(file=record.name + RECORD_SUFFIX, size_bytes=len(text),
                              sha256=hashlib.sha256(text).hexdigest()),
            files=[PublishedFile(**artefact.model_dump()) for artefact in artefacts],
            labels=record.labels, proofs=proofs_of(folder, record),
        )
        build = Build(folder, record, text, entry)
        # The index checks the path too, but only after much has been copied.
        Index(path=build.public_path, signing_key="0" * 40, builds=[entry])
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                         where=where) from error
    return build


def proofs_of(folder: Path, record: BuildRecord) -> list[proof.Proof]:
    """Return what was proven of these very artefacts; raises InputError for a bad report.json."""
    digests = {artefact.file: artefact.sha256 for artefact in record.artefacts}
    return [each for each in proof.read(folder) if digests.get(each.artefact) == each.sha256]


@dataclass(frozen=True)
class Merged:
    """What a release folder is going to be.

    sources: where each new file's content comes from, by name. records: the content of each new
    build.json copy, by name. removed: builds that go.
    """

    builds: list[PublishedBuild]
    sources: dict[str, Path]
    records: dict[str, bytes]
    removed: list[str]
    policy: Policy


def merge(
    current: Index | None, present: Collection[str], builds: Sequence[Build], keep: int | None,
    policy: Policy,
) -> Merged:
    """Return what a folder becomes when builds join what it has.

    present: the names of the files that are really in it; what its index lists and somebody
    removed is put back when its build is given.
    keep: so many of the newest builds of each series stay; None: all. An entry that is there keeps
    its channel and history. Raises InputError when a
    file was published before with another content: what people may have fetched never changes.
    """
    entries = {entry.name: entry for entry in current.builds} if current else {}
    sources: dict[str, Path] = {}
    records: dict[str, bytes] = {}
    for build in builds:
        there = entries.get(build.record.name)
        files = {file.file: file for file in there.files} if there else {}
        wanted = [file for file in build.entry.files if file.file not in present]
        for file in build.entry.files:
            if there is not None and there.withdrawn:
                raise InputError(f"{there.name} was withdrawn", where=str(build.folder),
                                 why=there.withdrawn.reason, remedy="build again")
            known = files.get(file.file)
            if known is not None and known.sha256 != file.sha256:
                raise InputError(
                    f"{file.file} is published already with another content",
                    where=str(build.folder), why=f"published {known.sha256}, built {file.sha256}",
                    remedy="published files never change: build again, for a new build id",
                )
        if there is not None and not wanted and all(
                document.file in present for document in there.documents):
            continue
        sources |= {file.file: build.folder / file.file for file in wanted}
        records[build.entry.record.file] = build.record_text
        records |= _provenance(build, there, present)
        files |= {file.file: file for file in wanted}
        merged = sorted(files.values(), key=lambda file: file.file)
        entry = build.entry if there is None else there.model_copy(
            update={"record": build.entry.record, "digest": build.entry.digest})
        entries[build.record.name] = entry.model_copy(update={"files": merged})
    kept = _newest(list(entries.values()), keep)
    names = {entry.name for entry in kept}
    return Merged(
        kept,
        {file.file: sources[file.file]
         for entry in kept for file in entry.files if file.file in sources},
        {document.file: records[document.file] for entry in kept for document in entry.documents
         if document.file in records},
        sorted(set(entries) - names), policy,
    )


def _provenance(
    build: Build, there: PublishedBuild | None, present: Collection[str],
) -> dict[str, bytes]:
    """Return a build's provenance by its name, if it is new or must be put back."""
    made = build.entry.provenance
    known = there.provenance if there else made
    if known is None or (there is not None and known.file in present):
        return {}
    if made is None or build.provenance is None or made.sha256 != known.sha256:
        raise InputError(f"{known.file} is missing and can't be made again as it was",
                         where=str(build.folder), remedy="withdraw the build, and build again")
    return {known.file: build.provenance}


def _newest(entries: list[PublishedBuild], keep: int | None) -> list[PublishedBuild]:
    if keep is None:
        return entries
    kept: list[PublishedBuild] = []
    for series in {entry.series for entry in entries}:
        members = sorted((entry for entry in entries if entry.series == series),
                         key=lambda entry: entry.order)
        kept += [entry for entry in members
                 if entry in members[-keep:] or entry.pinned or entry.withdrawn]
    return kept
