"""Which kinds of volumes there are: each module of this folder."""

from __future__ import annotations

from functools import cache
from typing import cast

from builder.disk import volumes
from builder.disk.requests import Request
from builder.disk.volume import Composite, Item, Kind, Member, Wrapper
from host.discovery import modules_in


@cache
def all_kinds() -> dict[str, Kind]:
    """Return the kinds by name, in the order in which they are planned."""
    found = sorted((cast(Kind, module) for module in modules_in(volumes)),
                   key=lambda each: each.rank)
    return {each.name: each for each in found}


def kind_of(item: Item) -> Kind:
    """Return the kind of an item."""
    return all_kinds()[item.kind]


def composites() -> list[Composite]:
    """Return those that are made of members, in the order in which they are planned."""
    return [cast(Composite, each) for each in all_kinds().values() if hasattr(each, "requests")]


def wrapper_for(wish: Request) -> Wrapper:
    """Return the kind that a request of FormatRequest.around asks for."""
    wrappers = (cast(Wrapper, each) for each in all_kinds().values() if hasattr(each, "request"))
    return next(each for each in wrappers if isinstance(wish, each.request))


@cache
def members() -> dict[str, Member]:
    """Return what volumes stand on, by what parts.FileSystem calls it."""
    return {each.member.fstype: each.member for each in all_kinds().values()}
