"""`ccis promote`: moves a build of the release tree into the next channel, if its gates open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ccis.groups import spread
from ccis.release import (
    ApprovalOption,
    ApproverKeysOption,
    BuildArgument,
    PolicyOption,
    RootOption,
    Signing,
    move_build,
)
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command()
@spread
def promote(
    build: BuildArgument,
    to: Annotated[Literal["testing", "production"], typer.Option(help="The channel.")],
    *,
    root: RootOption = Path("public"),
    folder: Annotated[
        Path | None, typer.Option("--build", metavar="FOLDER",
                                  help="Its folder, where newer proofs of it are.")] = None,
    approval: ApprovalOption = None,
    approver_keys: ApproverKeysOption = None,
    policy: PolicyOption = None,
    by: Signing,
    json: JsonOption = False,
) -> None:
    """Move a build into a channel: metadata changes, no byte of an image does.

    \b
    ccis promote CentOS-Stream-GenericCloud-10-20261121.0.x86_64 --to testing --sign-with KEY
    ccis promote CentOS-… --to production --approval yes.asc --approver-keys them.asc

    Exit status 1 when a gate of the policy stays closed; all that do are named.
    """
    from publish.approvals import read_approvals
    from publish.moves import promotion

    approvals = read_approvals(approval or [], approver_keys)
    move_build(build, root, by, policy, lambda its, signer: promotion(
        to, its, signer.fingerprint, approvals, folder), to_json=json)
