"""`ccis rollback`: takes a build out of a channel, which then offers the one before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ccis.groups import spread
from ccis.release import BuildArgument, PolicyOption, RootOption, Signing, move_build
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command()
@spread
def rollback(
    build: BuildArgument,
    reason: Annotated[str, typer.Option(help="Why; it is in the signed index.")],
    *,
    channel: Annotated[
        Literal["testing", "production"], typer.Option(help="The channel that it leaves."),
    ] = "production",
    root: RootOption = Path("public"),
    policy: PolicyOption = None,
    by: Signing,
    json: JsonOption = False,
) -> None:
    """Take a build out of a channel; the newest one that is left there gets its -latest name.

    \b
    ccis rollback CentOS-… --reason "does not boot on Xen" --sign-with KEY

    Nothing is removed: the build stays in the channel below, under its own name.
    """
    from publish.moves import rollback as move

    move_build(build, root, by, policy, lambda *_: move(channel, reason), to_json=json)
