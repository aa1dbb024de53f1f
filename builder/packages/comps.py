"""The package groups (comps) of the repositories that an image is made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import createrepo_c

from builder.packages.repositories import Snapshot
from builder.packages.selection import Selection
from builder.store import Store
from host.beneath.root import Root

_INDEX = "/repodata/repomd.xml"
_KINDS = ("group", "group_xz", "group_zst", "group_gz")


def comps_files(selection: Selection, store: Store) -> list[Path]:
    """Return the files with the groups, one for each repository that has some.

    They lie in the repository itself when it is on this host, else where dnf keeps metadata.
    """
    found = []
    for snapshot in selection.snapshots:
        url = snapshot.urls[0]
        folders = ([Path(url.removeprefix("file://"))] if url.startswith("file://")
                   else sorted(_cache(selection, snapshot, store).glob(f"{snapshot.id}-*")))
        found += [file for folder in folders for file in _of_repository(folder)]
    return found


def _cache(selection: Selection, snapshot: Snapshot, store: Store) -> Path:
    """Return where dnf keeps a repository's metadata (builder.packages.dnf_worker)."""
    return store.metadata / selection.key.stem if snapshot.signed_metadata else store.metadata


def _of_repository(folder: Path) -> Iterator[Path]:
    """Yield the file with the groups; its place is what the repository says, below its folder."""
    root = Root(folder)
    if not root.is_file(_INDEX):
        return
    for record in createrepo_c.Repomd(f"{folder}{_INDEX}").records:
        inside = f"/{record.location_href}"
        if record.type in _KINDS and root.is_file(inside):
            yield Path(f"{folder}{root.real_path(inside)}")
            return
