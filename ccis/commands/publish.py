"""`ccis publish`: puts builds into a signed release tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ccis import names, output
from ccis.display import watching
from ccis.groups import spread
from ccis.release import (
    ApprovalOption,
    ApproverKeysOption,
    PolicyOption,
    Signing,
    asking,
    policy_of,
)

if TYPE_CHECKING:
    from publish.tree import Publication

app = typer.Typer(add_completion=False)


@app.command()
@spread
def publish(
    build: Annotated[
        list[Path], typer.Argument(metavar="BUILD", help="Folders that `ccis build` made.",
                                       show_default=False)
    ],
    *,
    root: Annotated[
        Path, typer.Option(help="The root of the release tree; made if need be.")
    ] = Path("public"),
    channel: Annotated[
        Literal["development", "testing", "production"] | None,
        typer.Option(help="The channel.  [default: where the policy says]")
    ] = None,
    unproven: Annotated[
        str | None, typer.Option(metavar="REASON", help="Publish what nobody proved, into "
                                 "development; the index says so.")
    ] = None,
    policy: PolicyOption = None,
    approval: ApprovalOption = None,
    approver_keys: ApproverKeysOption = None,
    by: Signing,
    replace_key: Annotated[
        bool, typer.Option("--replace-key", help="Go on where another key has signed so far.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(metavar="N", help="Keep the N newest builds of each flavour.")
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", metavar="FORMAT",
                                       help="Publish this artefact alone; may be repeated.",
                                       autocompletion=names.one_format)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Put builds into a signed release tree, all at once.

    \b
    ccis publish build/CentOS-… --root public --sign-with releases@example.org
    ccis publish build/CentOS-… --root public --rehearsal-key

    Files that are published never change; publishing the same build again does nothing. Only what
    `ccis validate` proved gets in; with the rehearsal's key and policy, everything does, and is in
    production at once.
    """
    from publish import tree
    from publish.approvals import read_approvals
    from publish.find import any_index

    signer = by.signer()
    its = policy_of(policy, None if replace_key else any_index(root),
                    "rehearsal" if by.rehearsal_key else "sig")
    options = tree.Options(its, keep, formats or None, channel, unproven,
                           read_approvals(approval or [], approver_keys))
    with asking(to_json=json), watching(table=False) as progress:
        done = tree.publish(build, root, signer, progress, options, replace_key=replace_key,
                            chain=by.chain())
    output.report(done, lambda: _text(done), to_json=json)


def _text(done: Publication) -> list[str]:
    lines = []
    for folder in done.folders:
        if folder.changed:
            lines.append(f"{folder.path}: {len(folder.added)} new files, "
                         f"{len(folder.builds)} builds")
        else:
            lines.append(f"{folder.path}: unchanged, it holds this already")
        lines += [f"  removed {name}" for name in folder.removed]
    lines.append(f"signed by {done.fingerprint}, whose public key is {done.key}")
    return lines
