"""Versions as rpm compares them (rpmvercmp), and whether one relation meets another.

Not by rpm's own labelCompare(), which raises for versions that are none: an image may hold any, and
they are to be judged. Where both have an answer it is the same one (tests/validate).
"""

from __future__ import annotations

from host.patterns import pattern
from validate.rpmdb import Relation

_LESS, _GREATER, _EQUAL = 2, 4, 8
_PART = pattern(r"[0-9]+|[A-Za-z]+|~|\^")


def _compare_parts(one: str, other: str) -> int:
    """Compare two versions or releases: rpm, rpmio/rpmvercmp.c."""
    left, right = ([found[0] for found in _PART.finditer(text[:512])]
                   for text in (one, other))
    for mine, its in zip(left, right, strict=False):
        if mine == its:
            continue
        if "~" in (mine, its):
            return -1 if mine == "~" else 1
        if "^" in (mine, its):
            return -1 if mine == "^" else 1
        if mine.isdigit() != its.isdigit():
            return 1 if mine.isdigit() else -1
        if mine.isdigit():
            mine, its = mine.lstrip("0"), its.lstrip("0")
            if len(mine) != len(its):
                return 1 if len(mine) > len(its) else -1
        if mine != its:
            return 1 if mine > its else -1
    if len(left) == len(right):
        return 0
    longer, sign = (left, 1) if len(left) > len(right) else (right, -1)
    return -sign if longer[min(len(left), len(right))] == "~" else sign


def _split(evr: str) -> tuple[str, str, str]:
    epoch, colon, rest = evr.partition(":")
    if not colon:
        epoch, rest = "0", evr
    version, _, release = rest.partition("-")
    return epoch or "0", version, release


def compare(one: str, other: str) -> int:
    """Return -1, 0 or 1; a release that only one of them names does not count."""
    for mine, its, number in zip(_split(one), _split(other), range(3), strict=True):
        if number == 2 and not (mine and its):
            return 0
        if result := _compare_parts(mine, its):
            return result
    return 0


def satisfies(given: Relation, wanted: Relation) -> bool:
    """Tell whether what is provided meets what is required (same name taken for granted)."""
    sense = wanted.flags & (_LESS | _GREATER | _EQUAL)
    if not sense or not wanted.version or not given.version:
        return True
    order = compare(given.version, wanted.version)
    given_sense = given.flags & (_LESS | _GREATER | _EQUAL)
    if order == 0:
        return bool(sense & given_sense & _EQUAL) or bool(
            sense & given_sense & (_LESS | _GREATER))
    if order < 0:
        return bool(sense & _LESS) or bool(given_sense & _GREATER)
    return bool(sense & _GREATER) or bool(given_sense & _LESS)
