"""The package groups (comps) of the repositories that an image is made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import createrepo_c

from builder.packages.near import bring_metadata, folder_of
from builder.packages.selection import Selection
from builder.store.store import Store
from host.beneath.root import Root

_INDEX = "/repodata/repomd.xml"
_KINDS = ("group", "group_xz", "group_zst", "group_gz")


def comps_files(selection: Selection, store: Store) -> list[Path]:
    """Return the files with the groups, one for each repository that has some.

    They lie in the repository itself when it is on this host, else in what was brought here of it.
    """
    bring_metadata(selection, store)
    return [file for snapshot in selection.snapshots
            for file in _of_repository(folder_of(snapshot, store))]


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
