"""`ccis doctor`: is this host ready, and if not, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from host.errors import HostError
from host.places import store_folder

if TYPE_CHECKING:
    from ccis.doctor.registry import Outcome

app = typer.Typer(add_completion=False)

_MARKS = {"ok": "ok  ", "warning": "WARN", "missing": "LACK"}


@app.command()
def doctor(
    out: Annotated[Path, typer.Option(help="Where builds will put their results.")] = Path("build"),
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Also start the libguestfs appliance (15 s).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Check whether this host is ready, and name what to do if not.

    \b
    ccis doctor
    ccis doctor --thorough --out /srv/build

    Looked at: rights, kernel features, room, tools, virtual machines.
    Exit status 3 when something lacks that every build needs. A warning costs speed or a part:
    it names which.
    """
    from ccis.doctor.registry import Host, examine

    store = store_folder()
    outcomes = []
    for outcome in examine(Host(store, out, thorough)):
        outcomes.append(outcome)
        if not json:
            for row in _text(outcome):
                output.line(row)
    lacking = [outcome for outcome in outcomes if outcome.status == "missing"]
    warnings = [outcome for outcome in outcomes if outcome.status == "warning"]
    if json:
        output.document({"ok": not lacking, "checks": outcomes})
    else:
        output.line(f"{len(outcomes)} checks, {len(warnings)} warnings, {len(lacking)} lacking")
    if lacking:
        raise typer.Exit(HostError.exit_status)


def _text(outcome: Outcome) -> list[str]:
    lines = [f"{_MARKS[outcome.status]} {outcome.name}: {outcome.detail}"]
    if outcome.remedy:
        lines += [f"       needed for: {outcome.needed_for}",
                  f"       remedy:     {outcome.remedy}"]
    return lines
