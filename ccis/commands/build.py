"""`ccis build`: from kickstart and spec to artefacts."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.display import amount, watching
from ccis.groups import spread
from ccis.selection import JsonOption, Order
from host.errors import CcisError, InputError

if TYPE_CHECKING:
    from builder.build import Built

app = typer.Typer(add_completion=False)


@app.command()
@spread
def build(
    order: Order,
    *,
    out: Annotated[Path, typer.Option(help="Where the build's folder appears.")] = Path("build"),
    build_id: Annotated[
        str | None, typer.Option(metavar="YYYYMMDD.R", help="The changing part of the name.  "
                                 "[default: today's date and the first R that no "
                                 "other build has]"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Build images: packages, settings, scripts, disk, artefacts – as far as the store lacks them.

    \b
    ccis build generic-cloud
    ccis build generic-cloud --release rehearsal-10 --format qcow2,raw
    ccis build --target aws,azure,docker
    ccis build generic-cloud --target openstack,opennebula
    ccis build --release rehearsal-10 --target all
    ccis build --kickstart my.ks --release centos-stream-9 --engine guestfs
    ccis build generic-cloud --kickstart changed.ks
    ccis build --kickstart https://example.org/my.ks --disk-size "20 GiB"
    ccis build --kickstart - < my.ks

    An unchanged image is taken from the store; after a change only the steps behind it run.
    Several images share all that they have in common, and are made at the same time.
    """
    from builder import build as builder
    from builder import planner
    from builder.folders import free_id
    from builder.store.store import open_store

    day = f"{datetime.now(UTC):%Y%m%d}"
    if build_id is not None and not _is_build_id(build_id):
        raise InputError(f"{build_id!r} is not of the form YYYYMMDD.R", where="--build-id")
    with watching() as progress:
        store = open_store()
        try:
            plans = []
            for request in order.requests(progress):
                plan_made = planner.make(request, store, progress.say)
                disk = f"disk by {plan_made.engine.name}" if plan_made.engine else "no disk"
                names = ", ".join(each.name for each in request.targets)
                whom = f" ({names})" if order.targets else ""
                progress.say(f"{plan_made.label}{whom}: {len(plan_made.choices)} packages; {disk} "
                             f"({plan_made.engine_reason})")
                for where, text in plan_made.notes:
                    progress.say(f"note: {where}: {text}")
                plans.append(plan_made)
            order.check_unsigned(plan.selection for plan in plans)
            identity = build_id or free_id(plans, out, day)
            if build_id is None and identity != f"{day}.0":
                progress.say(f"note: {out} has another build of today already: this one is "
                             f"{identity}")
            done = builder.build(plans, store, out, identity, progress)
        except CcisError as error:
            error.add_note(f"repeat (what is done is kept): {shlex.join(sys.argv)}")
            raise
    output.report([_summary(built) for built in done],
                  lambda: (row for built in done for row in _text(built)), to_json=json)


def _is_build_id(text: str) -> bool:
    date, _, respin = text.partition(".")
    return len(date) == 8 and date.isdigit() and respin.isdigit()


def _summary(built: Built) -> dict[str, object]:
    record = built.record
    return {
        "folder": str(built.folder), "name": record.name, "digest": record.digest,
        "engine": record.engine, "packages": len(record.packages),
        "artefacts": [artefact.model_dump() for artefact in record.artefacts],
        "targets": [target.model_dump() for target in record.targets],
        "steps": [step.model_dump() for step in record.steps],
    }


def _text(built: Built) -> list[str]:
    lines = [f"{built.folder}/"]
    lines += [f"  {artefact.file}  {amount(artefact.size_bytes, 'bytes')}"
              for artefact in built.record.artefacts]
    return [*lines, "  build.json"]
