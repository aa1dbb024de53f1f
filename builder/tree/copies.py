"""Files of a root tree as files of the host's, for programs that take a path: copies, never links.

A program that writes a medium follows what a path leads to, so it is never given one in the tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from builder.tree.tree import named
from host.beneath.root import Root
from host.beneath.walk import NOT_THERE

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def copies(
    root: Root, wanted: Mapping[str, str], folder: Path, limit_bytes: int,
) -> dict[str, Path]:
    """Copy files out of a tree and return where each is.

    wanted: paths in the tree, by the name that the copy gets in `folder`, which is made if need
    be. Links are followed inside the tree. limit_bytes: of all together. A copy has the mode of
    its original, without set-id bits.
    Raises InputError for what is no regular file, is missing, or too large.
    """
    left_bytes = limit_bytes
    folder.mkdir(exist_ok=True)
    result = {}
    for name, inside in wanted.items():
        result[name] = folder / name
        with named(inside):
            root.copy_out(inside, result[name], follow=True, limit_bytes=left_bytes)
            status = root.stat(inside, follow=True)
        assert status is not None, "it was copied"
        left_bytes -= status.st_size
        result[name].chmod(status.st_mode & 0o777)
    return result


def plain_names(root: Root, folder: str) -> list[str]:
    """Return the names in a folder of a tree that mean nothing to any program; sorted.

    What packages bring for media is named so. Lists of paths, patterns and command lines would
    take other characters for their own.
    """
    return [name for name in root.names(folder) if _PLAIN.fullmatch(name)]


def text(root: Root, inside: str, limit_bytes: int = 4 << 20) -> str:
    """Return a text file of the tree, links followed inside it; nothing when it is not there.

    Raises InputError for what is no regular file, or longer.
    """
    try:
        return root.read(inside, limit_bytes, follow=True).decode("utf-8", errors="replace")
    except OSError as error:
        if error.errno in NOT_THERE:
            return ""
        raise
