"""Changes a tree without end, as `python -m tests.publish.churn ROOT BUILDS KEYS POLICY`.

Publishes one build after the other, promotes it, rolls it back, promotes it again: each step is
found out from the tree, so that whoever was killed is followed by one who goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from host.progress import Silent
from publish.chain.keys import signers
from publish.change import change
from publish.find import indexes
from publish.model import PublishedBuild
from publish.moves import Move, edit_of, promotion, rollback
from publish.policies import load_policy
from publish.sign import rehearsal_signer
from publish.tree import Options, publish


def main(root: Path, builds: Path, keys: Path, policy_file: str) -> None:
    """Go on until every build is published, was in production, was taken back, and is again."""
    policy, signer, chain = load_policy(policy_file), rehearsal_signer(), signers([keys])
    for folder in sorted(builds.iterdir()):
        while True:
            there = {build.name: (path, build) for path, index in indexes(root).items()
                     for build in index.builds}
            if folder.name not in there:
                publish([folder], root, signer, Silent(), Options(policy), chain=chain)
                continue
            path, build = there[folder.name]
            move = next_move(build, len(there), policy, signer.fingerprint)
            if move is None:
                break
            change(root, {path: edit_of(build.name, move, policy)}, signer, Silent(), chain=chain)


def next_move(build: PublishedBuild, count: int, policy: object, key: str) -> Move | None:
    """Return what is next for a build: up, up, down if another one is there, up again."""
    taken_back = any(event.action == "rolled-back" for event in build.history)
    if build.channel == "development":
        return promotion("testing", policy, key)  # type: ignore[arg-type]
    if build.channel == "testing":
        return promotion("production", policy, key)  # type: ignore[arg-type]
    if not taken_back and count > 1:
        return rollback("production", "a test")
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
