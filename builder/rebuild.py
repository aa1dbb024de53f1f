"""Builds an image again from nothing but what its record names, to be compared with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder import planner
from builder.artefact import DISK
from builder.build import build
from builder.formats import registry as formats
from builder.planner import Plan
from builder.provenance import kickstart_sha256, repositories
from builder.request import Request
from builder.store.store import Store
from host.errors import InputError
from host.progress import Progress
from images.record import BuildRecord

_UNLIMITED_BYTES = 1 << 60
_EXACT = ("ext2", "ext3", "ext4", "vfat", "efi", "swap", "biosboot", "prepboot", None)
"""What the direct engine writes byte for byte (builder/disk/populate.py)."""


@dataclass(frozen=True)
class Rebuilt:
    """A second build of the same image.

    exact: whether its disk is expected to be equal in every byte; reason: why not.
    strays: what the two builds had not in common, such as a tool's version.
    """

    folder: Path
    record: BuildRecord
    exact: bool
    reason: str = ""
    strays: list[str] = field(default_factory=list)


def rebuild(
    record: BuildRecord, request: Request, scratch: Path, out: Path, progress: Progress,
) -> Rebuilt:
    """Build what a record tells of once more, in an empty store.

    request: what the build was asked for, as the command line of today understands it.
    scratch: an empty folder, for the store. out: where the build's folder appears.
    Raises InputError when kickstart, repositories or packages are no longer those of the record;
    the errors of a build else.
    """
    store = Store(scratch / "store", _UNLIMITED_BYTES)
    with _source_date(record.source_date_epoch):
        planned = planner.make(request, store)
        _check_inputs(record, planned)
        reason = _inexact(planned)
        (built,) = build([planned], store, out, record.build_id, progress)
    store.release()
    return Rebuilt(built.folder, built.record, exact=not reason, reason=reason,
                   strays=_strays(record, built.record))


def is_of_disk(format_name: str) -> bool:
    """Say whether a format is made from a disk, so that it is as equal as the disk is."""
    return formats.origin(formats.get(format_name)) == DISK


@contextmanager
def _source_date(epoch: int) -> Iterator[None]:
    """Set SOURCE_DATE_EPOCH as it was, for the block."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


def _check_inputs(record: BuildRecord, planned: Plan) -> None:
    """Raise InputError for the first input that is not the record's."""
    request = planned.request
    if request.image.name != record.image or request.flavour != record.flavour:
        raise InputError(
            f"the image was {record.image} ({record.flavour}), this would be another",
            where=str(request.kickstart), why=f"{request.image.name} ({request.flavour})",
            remedy=f"an image of a kickstart alone is named after it: {record.kickstart}",
        )
    now_sha256 = kickstart_sha256(planned, record.name)
    if now_sha256 != record.kickstart_sha256:
        raise InputError(
            "the kickstart is not the one that the image was built from",
            where=str(planned.request.kickstart),
            why=f"the record has {record.kickstart_sha256[:12]}…, the file is "
                f"{now_sha256[:12]}…",
            remedy="give the one of that time: --kickstart FILE",
        )
    before = {one.id: one for one in record.repositories}
    now = {one.id: one for one in repositories(planned)}
    changed = [name for name in sorted(before.keys() | now.keys())
               if _state(before.get(name)) != _state(now.get(name))]
    if changed:
        shown = [one.url for name in changed if (one := now.get(name) or before.get(name))]
        raise InputError(
            "the repositories are not those that the image was built from", where=", ".join(shown),
            why=f"{', '.join(changed)}: repomd.xml has another checksum, or the repository is new "
                "or gone",
            remedy="build from a repository that does not change, such as a dated compose",
        )
    recorded = {(one.nevra, one.sha256) for one in record.packages if one.sha256}
    chosen = {(each.record.nevra, each.record.sha256) for each in planned.packages}
    if odd := sorted(nevra for nevra, _ in recorded - chosen):
        raise InputError("the packages are not those that the image was built from",
                         where=record.name, why=f"{len(odd)} differ, such as {odd[0]}")


def _state(repository: object) -> str | None:
    return getattr(repository, "repomd_sha256", None)


def _inexact(planned: Plan) -> str:
    """Return why a disk can't be expected to be the same in every byte; empty when it can."""
    if planned.engine is None:
        return ""
    if planned.engine.name != "direct":
        return f"the {planned.engine.name} engine's disk is written by a running kernel"
    kinds = sorted({part.fstype for part in planned.layout.filesystems} - {*_EXACT})
    return f"{', '.join(kinds)} is written by the kernel" if kinds else ""


def _strays(before: BuildRecord, after: BuildRecord) -> list[str]:
    """Return what explains differences: other tools, among them ccis, our own code.

    Not the steps' digests: those that cover secrets are other ones in each store.
    """
    found = [f"{name}: {before.tools.get(name, 'none')} then, {after.tools.get(name, 'none')} now"
             for name in sorted(before.tools.keys() | after.tools.keys())
             if before.tools.get(name) != after.tools.get(name)]
    return found
