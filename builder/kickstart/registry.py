"""The registry of kickstart commands: what each means for an image, or why it means nothing.

A module of builder/kickstart/commands/ registers what it handles when it is imported; a new
family of commands is one new file there.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from builder.kickstart.read import Addon, Command, Kickstart
from builder.root.tree import Tree
from host.errors import InputError

Handler = Callable[[Command, Tree], None]
AddonHandler = Callable[[Addon, Tree], None]


@dataclass(frozen=True)
class _Registry:
    """Command names by what becomes of them."""

    settings: dict[str, Handler]
    elsewhere: dict[str, str]
    meaningless: dict[str, str]
    addons: dict[str, AddonHandler]


_registry = _Registry({}, {}, {}, {})


def honours(*names: str) -> Callable[[Handler], Handler]:
    """Register a function that turns one command into changes of the tree."""
    def register(handler: Handler) -> Handler:
        for name in names:
            _registry.settings[name] = handler
        return handler
    return register


def honours_addon(name: str) -> Callable[[AddonHandler], AddonHandler]:
    """Register a function that turns one %addon into changes of the tree."""
    def register(handler: AddonHandler) -> AddonHandler:
        _registry.addons[name] = handler
        return handler
    return register


def honoured_by(step: str, *names: str) -> None:
    """Register commands that another step reads, such as the disk's layout."""
    for name in names:
        _registry.elsewhere[name] = step


def meaningless(reason: str, *names: str) -> None:
    """Register commands that steer an installer and leave no trace in what it installs."""
    for name in names:
        _registry.meaningless[name] = reason


def check(kickstart: Kickstart) -> None:
    """Refuse what nothing here honours: no line of a kickstart is ignored in silence.

    Raises InputError for the first such command or section, with file and line.
    """
    known = _load()
    for command in kickstart.commands:
        if not any(command.name in names
                   for names in (known.settings, known.elsewhere, known.meaningless)):
            raise InputError(
                f"the command '{command.name}' is not honoured yet", where=command.where,
                remedy="remove the line, or do in %post what it says",
            )
    for addon in kickstart.addons:
        if addon.name not in known.addons:
            raise InputError(f"the add-on '{addon.name}' is not honoured", where=addon.where)
    for script in kickstart.scripts:
        if script.kind in ("%pre", "%pre-install") or not script.in_chroot:
            kind = script.kind if script.in_chroot or script.kind != "%post" else "%post --nochroot"
            raise InputError(
                f"{kind} scripts are not run yet", where=script.where,
                remedy="move what the script does into %post, or partition with `part`",
            )


def apply(kickstart: Kickstart, tree: Tree) -> None:
    """Turn every command and add-on into changes of the tree, in the order of the file."""
    known = _load()
    for command in kickstart.commands:
        if handler := known.settings.get(command.name):
            handler(command, tree)
    for addon in kickstart.addons:
        known.addons[addon.name](addon, tree)


def _load() -> _Registry:
    from builder.kickstart import commands
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}")
    return _registry
