"""The artefact formats: each module in this folder is one, found by being there.

What several of them share lies in tools/.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

from builder.artefact import DISK, TREE, Format
from host.errors import InputError


def _discover() -> dict[str, Format]:
    names = sorted(each.name for each in pkgutil.iter_modules(__path__) if not each.ispkg)
    found = [cast(Format, importlib.import_module(f"{__name__}.{name}")) for name in names]
    return {each.name: each for each in found}


FORMATS: dict[str, Format] = _discover()


def get(name: str) -> Format:
    """Return a format; raises InputError when there is none of that name."""
    if name not in FORMATS:
        raise InputError(f"unknown format {name}", remedy="known formats: " + ", ".join(FORMATS))
    return FORMATS[name]


def origin(wish: Format) -> str:
    """Return what a format is made from in the end: "disk" or "tree"."""
    while wish.source not in (DISK, TREE):
        wish = get(wish.source)
    return wish.source
