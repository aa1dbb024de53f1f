"""Who vouches for packages: each repository's own key, or nobody where that is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.packages.choice import Choice
from builder.packages.near import is_whole
from builder.packages.repositories import Snapshot
from builder.packages.selection import Selection
from builder.packages.signatures import verify_signatures
from host.errors import RemoteError


def verify_packages(
    selection: Selection, choices: Sequence[Choice], files: Sequence[Path],
) -> None:
    """Check the RPM file of each choice, with the key of its repository and no other.

    Where somebody has allowed that nobody vouches, the file must still be the one that the
    repository's index names. Raises RemoteError with the repository, the line that names it, the
    bad file and the way out; HostError when this host can't check.
    """
    for snapshot in selection.snapshots:
        mine = [(choice, file) for choice, file in zip(choices, files, strict=True)
                if choice.record.repository == snapshot.id]
        key = selection.key_of(snapshot.id)
        if key is None:
            _check_sums(snapshot, mine)
            continue
        try:
            verify_signatures([file for _, file in mine], key)
        except RemoteError as error:
            raise RemoteError(
                f"a package of {snapshot.name} can't be trusted",
                where=snapshot.where or error.where,
                why=f"{error.where}: {error.why}" if snapshot.where else error.why,
                remedy=_way_out(snapshot)) from error


def _check_sums(snapshot: Snapshot, packages: Sequence[tuple[Choice, Path]]) -> None:
    for choice, file in packages:
        if not is_whole(file, choice):
            raise RemoteError(f"a package of {snapshot.name} is not the one that its index names",
                              where=snapshot.where or str(file), why=str(file),
                              remedy="name another mirror")


def _way_out(snapshot: Snapshot) -> str:
    if snapshot.key is not None:
        return "do not install it; check the mirror, and the key in the repository's definition"
    if snapshot.where:
        return ("do not install it; or say whose key it is: a file as in images/repositories, "
                f"by --repository FILE; or take it as it is: --allow-unsigned {snapshot.id}")
    return "do not install it; check the mirror and the release's key"
