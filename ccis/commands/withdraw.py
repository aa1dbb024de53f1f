"""`ccis withdraw`: takes a build's files out of the tree at once; its entry stays."""

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
def withdraw(
    build: BuildArgument,
    reason: Annotated[str, typer.Option(help="Why; it is in the signed index.")],
    *,
    root: RootOption = Path("public"),
    policy: PolicyOption = None,
    by: Signing,
    json: JsonOption = False,
) -> None:
    """Take a build out of the tree: for what must not be used, such as a leaked key in it.

    \b
    ccis withdraw CentOS-… --reason "CVE-2026-1234, remote root" --sign-with KEY

    Its name is never used again; whoever looks it up finds the reason.
    """
    from publish.moves import withdrawal

    move_build(build, root, by, policy, lambda *_: withdrawal(reason), to_json=json)
