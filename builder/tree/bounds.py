"""How deep a tree may be: what packs it afterwards (tar, mke2fs, cp) works with whole paths.

PATH_MAX is 4,096 bytes, from the host's own root, and several of them call themselves for every
level. A script's mistake, such as a loop of `mkdir x; cd x`, is named where it was made.
"""

from __future__ import annotations

import os

from host.beneath.root import Root
from host.errors import InputError

LEVELS_MAX = 256
PATH_BYTES_MAX = 3000
_SHOWN = 60


def check_depth(root: Root, step: str) -> None:
    """Raise InputError when anything in a tree lies too deep; see check_path()."""
    for found in root.walk():
        check_path(found.path, step)


def check_path(inside: str, step: str) -> None:
    """Raise InputError for a path of more than LEVELS_MAX names or PATH_BYTES_MAX bytes.

    step: what made it, for the message.
    """
    levels = inside.count("/")
    if levels <= LEVELS_MAX and len(inside) * 4 <= PATH_BYTES_MAX:
        return
    length_bytes = len(os.fsencode(inside))
    if levels > LEVELS_MAX or length_bytes > PATH_BYTES_MAX:
        raise InputError(
            f"a folder of the tree is nested too deeply after {step}",
            where=f"{inside[:_SHOWN]}…",
            why=f"{levels} levels, {length_bytes} bytes; at most {LEVELS_MAX} and "
                f"{PATH_BYTES_MAX} can be packed",
            remedy=f"correct what made it in {step}: a script or a package",
        )
