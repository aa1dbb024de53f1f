"""Which artefact formats there are: each module of this folder but this one."""

from __future__ import annotations

from typing import cast

from builder import formats
from builder.artefact import DISK, TREE, Format, Outlook
from host.discovery import modules_in
from host.errors import InputError

FORMATS: dict[str, Format] = {
    module.name: cast(Format, module) for module in modules_in(formats, rooms=False)}


def get(name: str) -> Format:
    """Return a format; raises InputError when there is none of that name."""
    if name not in FORMATS:
        raise InputError(f"unknown format {name}", remedy="known formats: " + ", ".join(FORMATS))
    return FORMATS[name]


def objection(name: str, outlook: Outlook) -> str | None:
    """Return why a format can't be made of an image; None: nothing speaks against it."""
    judge = getattr(get(name), "objection", None)
    return str(why) if judge and (why := judge(outlook)) else None


def origin(wish: Format) -> str:
    """Return what a format is made from in the end: "disk" or "tree"."""
    while wish.source not in (DISK, TREE):
        wish = get(wish.source)
    return wish.source
