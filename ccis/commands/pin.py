"""`ccis pin`: has retention leave a build alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ccis.groups import spread
from ccis.release import BuildArgument, PolicyOption, RootOption, Signing, move_build
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command()
@spread
def pin(
    build: BuildArgument,
    *,
    off: Annotated[bool, typer.Option("--off", help="Pin it no longer.")] = False,
    root: RootOption = Path("public"),
    policy: PolicyOption = None,
    by: Signing,
    json: JsonOption = False,
) -> None:
    """Have `ccis prune` leave a build alone, such as one that customers depend on.

    \b
    ccis pin CentOS-… --sign-with KEY
    """
    from publish.moves import pinning

    move_build(build, root, by, policy, lambda *_: pinning(not off), to_json=json)
