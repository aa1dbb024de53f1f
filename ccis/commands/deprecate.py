"""`ccis deprecate`: says in the signed index that a build should no longer be taken."""

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
def deprecate(
    build: BuildArgument,
    *,
    replaced_by: Annotated[
        str | None, typer.Option(metavar="BUILD", help="The build to take instead.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is in the signed index.")] = "",
    root: RootOption = Path("public"),
    policy: PolicyOption = None,
    by: Signing,
    json: JsonOption = False,
) -> None:
    """Say that a build should no longer be taken. Its files stay; another one gets -latest.

    \b
    ccis deprecate CentOS-… --replaced-by CentOS-… --reason "old kernel" --sign-with KEY
    """
    from publish.moves import deprecation

    move_build(build, root, by, policy, lambda *_: deprecation(reason, replaced_by), to_json=json)
