"""Things of which there are several – commands, checks, formats – are found by their being there.

A package holds one module for each; who wants them asks here. What is found decides what a program
does, so builder/identity.py knows this call and counts the modules as imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

_ASKS = "registry"
"""The module of a package that asks for the others is none of them."""


def modules_in(package: ModuleType | str, *, rooms: bool = True) -> list[ModuleType]:
    """Import all modules of a package and return them, in the order of their names.

    package: itself or its name; in its own __init__ it says `__name__`.
    rooms: packages in it are things, too, and not only what things share.
    """
    name = package if isinstance(package, str) else package.__name__
    return [importlib.import_module(f"{name}.{each}") for each in names_in(package, rooms=rooms)]


def names_in(package: ModuleType | str, *, rooms: bool = True) -> list[str]:
    """Return the names of a package's modules, without importing any; see modules_in()."""
    found = importlib.import_module(package) if isinstance(package, str) else package
    folders = found.__spec__.submodule_search_locations if found.__spec__ else None
    return sorted(each.name for each in pkgutil.iter_modules(folders or [])
                  if each.name != _ASKS and (rooms or not each.ispkg))
