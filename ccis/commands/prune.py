"""`ccis prune`: which builds leave the tree by its policy, and why each of the others stays."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ccis import output
from ccis.display import watching
from ccis.groups import spread
from ccis.release import PolicyOption, RootOption, Signing, asking, policy_of
from ccis.selection import JsonOption
from host.errors import InputError

app = typer.Typer(add_completion=False)


@app.command()
@spread
def prune(
    *,
    root: RootOption = Path("public"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and why.")] = False,
    policy: PolicyOption = None,
    by: Signing,
    json: JsonOption = False,
) -> None:
    """Let builds leave the tree by the policy's retention: keep the last, the pinned, the young.

    \b
    ccis prune --dry-run
    ccis prune --sign-with KEY

    A build is announced to leave first; its files go with a later run, when the policy's grace is
    over, so that nobody who has an older index at hand is let down.
    """
    from publish.change import Edit, change
    from publish.find import indexes
    from publish.retention import decide, pruning

    signer = None if dry_run else by.signer()
    fates, edits = [], dict[str, Edit]()
    for path, index in indexes(root).items():
        its = policy_of(policy, index, index.policy)
        if its.retention is None:
            if policy is not None:
                raise InputError(f"the policy {its.name} says nothing of retention",
                                 where="--policy", remedy="add `retention:` to it")
            continue
        fates += [{"path": path, **vars(fate)}
                  for fate in decide(index, its.retention, int(time.time()))]
        edits[path] = pruning(its, its.retention)
    if signer is not None and edits:
        with asking(to_json=json), watching(table=False) as progress:
            change(root, edits, signer, progress, chain=by.chain())
    output.report(
        {"dry_run": dry_run, "builds": fates},
        lambda: [f"{fate['build']} {fate['verdict']}: {fate['why']}" for fate in fates]
        or ["no folder of the tree has a policy with retention"], to_json=json)
