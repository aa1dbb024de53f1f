"""Which engines there are, each module of this folder, and which one takes a layout."""

from __future__ import annotations

from functools import cache
from typing import cast

from builder.disk import engines
from builder.disk.engine import Engine
from builder.disk.model import Layout
from host.discovery import modules_in
from host.errors import HostError, InputError

AUTO = "auto"


@cache
def all_engines() -> dict[str, Engine]:
    """Return the engines by name, in the order in which --engine auto tries them."""
    found = sorted((cast(Engine, module) for module in modules_in(engines)),
                   key=lambda each: each.rank)
    return {each.name: each for each in found}


def get(name: str) -> Engine:
    """Return an engine; raises InputError when there is none of that name."""
    if name not in all_engines():
        raise InputError(f"unknown engine {name}",
                         remedy="known engines: " + ", ".join((AUTO, *all_engines())))
    return all_engines()[name]


def choose(preference: str, layout: Layout) -> tuple[Engine, str]:
    """Return the engine for a layout and the reason for it, one clause without a final stop.

    preference: the value of --engine: `auto`, or an engine's name.
    Raises InputError for a name that is none, HostError when the engine asked for, or with
    `auto` each of them, cannot do it here.
    """
    if preference == AUTO:
        against: dict[str, str] = {}
        for engine in all_engines().values():
            unfit = engine.unfit(layout)
            if unfit is None:
                return engine, "; ".join(
                    [f"{name} is not possible: {why}" for name, why in against.items()]
                ) or engine.suits
            against[engine.name] = unfit
        raise HostError(
            "no engine can write this disk here",
            why="; ".join(f"{name}: {why}" for name, why in against.items()),
            remedy="run as root after tools/setup; `ccis doctor` tells more",
        )
    engine = get(preference)
    if unfit := engine.unfit(layout):
        raise HostError(
            f"the {preference} engine cannot write this disk here", why=unfit,
            remedy="use --engine auto, or see `ccis doctor`",
        )
    return engine, "asked for"
