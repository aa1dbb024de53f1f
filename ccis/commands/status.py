"""`ccis status`: what a release tree offers in each channel, and which series are overdue."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.selection import JsonOption

if TYPE_CHECKING:
    from publish.status import SeriesStatus

app = typer.Typer(add_completion=False)


@app.command()
def status(
    root: Annotated[Path, typer.Argument(help="The root of a release tree.")] = Path("public"),
    policy: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Judge by this one.  [default: the "
                                 "tree's own]")] = None,
    json: JsonOption = False,
) -> None:
    """Say what each channel offers, since when, and what is overdue by the policy's cadence.

    \b
    ccis status public

    Exit status 1 when a series is overdue. Nothing is verified: `ccis verify` does that.
    """
    from publish.find import indexes
    from publish.policies import load_policy
    from publish.status import status as status_of

    judge = load_policy(policy) if policy else None
    found = status_of(indexes(root), judge, int(time.time()))
    output.report({**vars(found), "overdue": found.overdue},
                  lambda: [_line(each) for each in found.series], to_json=json)
    if found.overdue:
        raise typer.Exit(1)


def _line(each: SeriesStatus) -> str:
    offer = f"{each.build} since {each.entered}" if each.build else "nothing"
    late = f"  OVERDUE since {each.due}" if each.overdue else ""
    return f"{each.flavour} {each.version} {each.arch} {each.channel}: {offer}{late}"
