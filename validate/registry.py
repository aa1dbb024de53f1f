"""Which function proves which kind of check: each module of checks/ registers what it proves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from host.discovery import modules_in
from specs.kind import Check

_SHOWN = 12


@dataclass(frozen=True)
class Finding:
    """What a check found. ok: None when there is nothing in the image that it is about."""

    ok: bool | None
    found: str
    expected: str


Checker = Callable[[Any, Any], Finding]
"""Takes the check and what it looks at: View (artefact, offline) or Guest (boot)."""

Function = TypeVar("Function", bound=Checker)

Questions = Callable[[Any], Sequence[str]]
"""Takes the check and gives the shell commands that must be run in the guest for it."""

_CHECKERS: dict[type[Check], Checker] = {}
_QUESTIONS: dict[type[Check], Questions] = {}


def proves(
    kind: type[Check], *, asks: Questions | None = None,
) -> Callable[[Function], Function]:
    """Mark a function as the proof of a kind of check.

    asks: for a check on a started image, what to ask the guest; all questions go in one batch.
    """

    def register(function: Function) -> Function:
        assert kind not in _CHECKERS, f"two proofs of {kind.__name__}"
        _CHECKERS[kind] = function
        if asks is not None:
            _QUESTIONS[kind] = asks
        return function

    return register


@cache
def _load_all() -> None:
    modules_in("validate.checks")
    modules_in("validate.boot.checks")


def checker(kind: type[Check]) -> Checker:
    """Return the proof of a kind of check; there is one for every kind (a test says so)."""
    _load_all()
    return _CHECKERS[kind]


def questions(check: Check) -> Sequence[str]:
    """Return what must be asked of the guest for a check."""
    _load_all()
    asks = _QUESTIONS.get(type(check))
    return asks(check) if asks else ()


def proven_kinds() -> set[type[Check]]:
    """Return every kind of check that has a proof."""
    _load_all()
    return set(_CHECKERS)


def verdict(wrong: Sequence[str], good: str, expected: str) -> Finding:
    """Return a failure that shows the first few things wrong, or success when there are none."""
    if not wrong:
        return Finding(True, good, expected)
    shown = "; ".join(wrong[:_SHOWN])
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return Finding(False, shown + more, expected)
