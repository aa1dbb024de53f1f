"""Which artefact formats there are: each module of this folder but this one."""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

from builder import formats
from builder.artefact import DISK, TREE, Format
from host.errors import InputError


def _discover() -> dict[str, Format]:
    names = sorted(each.name for each in pkgutil.iter_modules(formats.__path__) if not each.ispkg)
    modules = [importlib.import_module(f"{formats.__name__}.{name}") for name in names
               if name != "registry"]
    return {module.name: cast(Format, module) for module in modules}


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
