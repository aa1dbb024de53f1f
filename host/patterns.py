"""Regular expressions for what others wrote: matched in time linear in the text, by RE2.

Python's `re` backtracks: a megabyte of newlines, or a name of forty letters, can keep an innocent
looking expression busy for hours, and no signal gets through meanwhile. RE2 has no look-around and
no references back, and in exchange no text can make it slow (github.com/google/re2, "Why RE2").
`$` is the end of the text; digits, spaces and letters are ASCII's; flags stand in the expression.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Protocol

from host.errors import HostError

_MEMORY_BYTES = 16 << 20
DIGITS_MAX = 18
"""So many digits fit into 64 bits; Python refuses to read more than 4300."""


class Match(Protocol):
    """What was found. A group that took no part is None."""

    def __getitem__(self, group: int | str) -> str:
        """Return a group's text, of group 0 all that was found."""
        ...

    def start(self) -> int:
        """Return where it begins."""
        ...


class Pattern:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        re2 = library()
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY_BYTES
        try:
            self._compiled = re2.compile(text, options)
        except re2.error as error:
            said = error.args[0] if error.args else ""
            why = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
            raise ValueError(f"{text!r} is not a regular expression of RE2: {why}") from error

    def search(self, text: str) -> Match | None:
        """Return the first place that matches."""
        found: Match | None = self._compiled.search(_clean(text))
        return found

    def match(self, text: str) -> Match | None:
        """Return what matches from the beginning of the text."""
        found: Match | None = self._compiled.match(_clean(text))
        return found

    def fullmatch(self, text: str) -> Match | None:
        """Return what matches the whole text."""
        found: Match | None = self._compiled.fullmatch(_clean(text))
        return found

    def finditer(self, text: str) -> Iterator[Match]:
        """Yield all places that match, from the first to the last."""
        found: Iterator[Match] = self._compiled.finditer(_clean(text))
        return found

    def sub(self, by: str | Callable[[Match], str], text: str) -> str:
        """Return the text with every place that matches replaced; by: a text has no references."""
        change = by if callable(by) else (lambda _match: by)
        return str(self._compiled.sub(change, _clean(text)))


@lru_cache(maxsize=1024)
def pattern(text: str) -> Pattern:
    """Return the compiled expression; raises ValueError for one that RE2 does not know."""
    return Pattern(text)


def number(text: str) -> int | None:
    """Return a number of at most DIGITS_MAX ASCII digits, None for anything else."""
    good = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if good else None


def library() -> Any:
    """Return the module re2, for what this one has no word for; raises HostError without it."""
    try:
        return importlib.import_module("re2")
    except ImportError as error:
        raise HostError("Python's google-re2 is not there", why=str(error),
                        remedy="run tools/setup") from error


def _clean(text: str) -> str:
    """Names that are not UTF-8 reach us with lone surrogates, which RE2 can't be given."""
    return text if text.isascii() else text.encode(errors="replace").decode()
