"""Keeps the names of one file one file, when a step changes it that a layer below has.

While a step runs, overlayfs sees to it (index=on): what is written by one name is read by all. But
only the names that were written by come into the layer; the next step would find the others as they
were, and the file in two. So they are all brought along before the layer is done.
"""

from __future__ import annotations

import stat
from pathlib import Path

from host.beneath.root import Root


def keep_twins(view: Path, layer: Path) -> None:
    """Have a layer hold all names of each file that it holds one of.

    view: what is seen through the layer while it can still be written. Raises OSError.
    """
    seen = Root(view)
    changed = {_identity(seen, each.path) for each in Root(layer).walk()
               if each.is_file and each.status.st_nlink > 1}
    if not changed:
        return
    for each in seen.walk():
        if each.is_file and each.status.st_nlink > 1 and (
                each.status.st_dev, each.status.st_ino) in changed:
            seen.chmod(each.path, stat.S_IMODE(each.status.st_mode))  # nothing new, by each name


def _identity(seen: Root, path: str) -> tuple[int, int] | None:
    status = seen.stat(path)
    return (status.st_dev, status.st_ino) if status else None
