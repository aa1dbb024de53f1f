"""What two trees are compared by: every attribute of every name, each with a word for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

from host.patterns import pattern
from host.text import printable

SHOWN_MAX = 20
"""So many files are named; a build that went wrong as a whole differs in thousands."""
_DIGEST = pattern("[0-9a-f]{64}")


@dataclass(frozen=True)
class Traits:
    """One name of a tree, or one member of an archive. Whatever is here must be equal.

    content: a digest of a file's bytes, the target of a link, the numbers of a device.
    mtime: seconds since 1970 as they were written. twin: the first name of the same file.
    attributes: the extended ones, and what an archive says beyond them.
    """

    kind: str
    mode: str = ""
    owner: str = ""
    size: int = 0
    mtime: str = ""
    content: str = ""
    twin: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def differences(one: Mapping[str, Traits], other: Mapping[str, Traits]) -> list[str]:
    """Return a line for each name that differs, in the order of the names."""
    return [
        f"{printable(name)}: {text}" for name in sorted(one.keys() | other.keys())
        if (text := _difference(one.get(name), other.get(name)))
    ]


def shortened(lines: Sequence[str]) -> list[str]:
    """Return the first lines and how many more there are."""
    more = len(lines) - SHOWN_MAX
    return [*lines[:SHOWN_MAX], *([f"and {more} more"] if more > 0 else [])]


def _difference(one: Traits | None, other: Traits | None) -> str:
    if one is None or other is None:
        return "only in the build" if other is None else "only in the rebuild"
    return "; ".join(_attributes(one, other))


def _attributes(one: Traits, other: Traits) -> Iterator[str]:
    for each in fields(Traits):
        before, after = getattr(one, each.name), getattr(other, each.name)
        if before == after:
            continue
        if each.name == "attributes":
            for name in sorted(before.keys() | after.keys()):
                if before.get(name) != after.get(name):
                    yield f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}"
        else:
            yield f"{each.name} {_shown(before)} → {_shown(after)}"


def _shown(value: object) -> str:
    text = "–" if value in (None, "") else printable(str(value))
    if _DIGEST.fullmatch(text):
        return f"{text[:12]}…"
    return text if len(text) <= 64 else f"{text[:61]}…"
