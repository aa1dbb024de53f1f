"""`ccis reproduce`: builds an image again from nothing, and compares every byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.artefacts import KeyOption, key_of
from ccis.display import watching
from ccis.selection import IncludePathOption, JsonOption, Order, RepositoryOption
from host.errors import InputError
from host.progress import Progress

if TYPE_CHECKING:
    from builder.rebuild import Rebuilt
    from builder.request import Request
    from images.record import BuildRecord
    from validate.compare.builds import ArtefactComparison

app = typer.Typer(add_completion=False)


@app.command()
def reproduce(
    build: Annotated[Path, typer.Argument(metavar="BUILD", help="A build's folder.",
                                          show_default=False)],
    kickstart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The kickstart it was built from.  "
                                  "[default: the image's own, or one of that name here]")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the second build there.  "
                                  "[default: it is thrown away]")] = None,
    include_paths: IncludePathOption = None,
    repositories: RepositoryOption = None,
    key: KeyOption = None,
    json: JsonOption = False,
) -> None:
    """Build an image again, from an empty store, and compare it with BUILD byte for byte.

    \b
    ccis reproduce build/CentOS-Stream-GenericCloud-10-20261121.0.x86_64
    ccis reproduce build/CentOS-Stream-My-10-20261121.0.x86_64 --kickstart my.ks
    ccis reproduce FOLDER --out again --json

    What build.json names is used again: image, release, architecture, kickstart, engine,
    targets, formats, date. Where kickstart, repositories or packages are no longer those, that
    is said (exit status 2). What differs is named: the offset, the partition, the file.

    \b
    Exit status 0 means that all is equal that can be:
      made from the tree      every byte
      disks, direct engine    every byte, if all file systems are ext2-4, FAT or swap
      other disks             every file with owner, mode, times, attributes and content: xfs and
                              btrfs are written by the kernel, LUKS draws random keys; shown as
                              "same tree, other bytes"
    Exit status 1: something else differs.
    """
    from builder.rebuild import is_of_disk, rebuild
    from host.scratch import scratch_folder
    from images.record import read
    from validate.compare.builds import Pair, compare_builds

    record, opens = read(build), key_of(key)
    if out and (out / record.name).resolve() == build.resolve():
        raise InputError("the second build would take the place of the first", where="--out",
                         remedy="name another folder")
    with ExitStack() as stack:
        progress = stack.enter_context(watching())
        scratch = stack.enter_context(scratch_folder("reproduce"))
        request = _request(record, kickstart, include_paths, repositories, progress)
        again = rebuild(record, request, scratch, out or scratch / "build", progress)
        for stray in again.strays:
            progress.say(f"note: {stray}")
        (scratch / "compare").mkdir()
        found = compare_builds(
            Pair(build, record, again.folder, again.record, is_of_disk, again.exact, opens),
            scratch / "compare", progress)
    passed = all(one.passed for one in found)
    output.report(_summary(record, again, found, kept=out is not None),
                  lambda: _text(record, again, found), to_json=json)
    if not passed:
        raise typer.Exit(1)


def _request(
    record: BuildRecord, kickstart: Path | None, include_paths: list[Path] | None,
    repositories: list[Path] | None, progress: Progress,
) -> Request:
    """Return what the build was asked for, as far as its record tells.

    What the first build's media carry, somebody has allowed then.
    """
    from images import catalogue

    known = record.image in catalogue.image_names()
    if kickstart is None:
        own = catalogue.kickstart_of(catalogue.image(record.image)) if known else None
        kickstart = own if own and own.name == record.kickstart else Path(record.kickstart)
    if not kickstart.is_file():
        raise InputError(f"the kickstart {record.kickstart} is not here", where=str(kickstart),
                         remedy="say where it is: --kickstart FILE")
    (found,) = Order(
        images=[record.image] if known else None, kickstart=str(kickstart), release=record.release,
        arch=record.arch, engine=record.engine or "auto", include_paths=include_paths,
        formats=list(dict.fromkeys(artefact.format for artefact in record.artefacts)),
        allow_secrets=True, repositories=repositories, disk_size=_disk_size(record),
        allow_unsigned=[one.id for one in record.repositories if one.unsigned],
    ).requests(progress)
    # Not by their names: --target with --format is for formats that all of them take.
    return replace(found, targets=[catalogue.target(target.name) for target in record.targets])


def _disk_size(record: BuildRecord) -> str | None:
    """Return the size that the disk had; None: there was none, or it is told by no artefact."""
    sizes = [size for one in record.artefacts if (size := one.virtual_size_bytes)]
    return f"{sizes[0] >> 20} MiB" if sizes and not sizes[0] % (1 << 20) else None


def _summary(
    record: BuildRecord, again: Rebuilt, found: list[ArtefactComparison], *, kept: bool,
) -> dict[str, object]:
    return {
        "name": record.name, "passed": all(one.passed for one in found),
        "same_bytes": all(one.verdict == "same bytes" for one in found),
        "exact": again.exact, "reason": again.reason, "notes": again.strays,
        "rebuilt": str(again.folder) if kept else None,
        "artefacts": [{"passed": one.passed, **one.__dict__} for one in found],
    }


def _text(
    record: BuildRecord, again: Rebuilt, found: list[ArtefactComparison],
) -> Iterator[str]:
    for one in found:
        at = f" from byte {one.offset_bytes} on" if one.offset_bytes is not None else ""
        yield f"{one.file}: {one.verdict}{at}"
        if one.verdict == "same tree, other bytes":
            yield f"  {again.reason}"
        yield from (f"  {place}" for place in one.places)
        yield from (f"  | {line}" for line in one.detail.splitlines())
    wrong = sum(not one.passed for one in found)
    verdict = f"{wrong} of {len(found)} files differ" if wrong else "reproduced"
    yield f"{record.name}: {verdict}"
