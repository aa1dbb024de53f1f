"""The checks of the host: how one is written, found and run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from host.discovery import modules_in
from host.errors import CcisError

Status = Literal["ok", "warning", "missing"]

log = logging.getLogger("ccis.doctor")


@dataclass(frozen=True)
class Host:
    """What is asked about. store, out: where results are kept and put; both may not exist yet.

    thorough: also do what takes long, such as starting the libguestfs appliance.
    """

    store: Path
    out: Path
    thorough: bool = False


@dataclass(frozen=True)
class Check:
    """A named check. needed_for: what does not work without it. required: every build needs it."""

    name: str
    needed_for: str
    required: bool
    remedy: str
    look: Callable[[Host], str | None]


@dataclass(frozen=True)
class Outcome:
    """What a check found. detail: what is there, or what lacks. remedy: empty where all is well."""

    name: str
    status: Status
    needed_for: str
    detail: str
    remedy: str = ""


class LackError(Exception):
    """Something is not as it must be. remedy: what to do, where the check knows better."""

    def __init__(self, detail: str, remedy: str | None = None) -> None:
        super().__init__(detail)
        self.remedy = remedy


_checks: list[Check] = []


def check(
    name: str, *, needed_for: str, remedy: str, required: bool = True,
) -> Callable[[Callable[[Host], str | None]], Callable[[Host], str | None]]:
    """Register a function as a check.

    It returns what it found in a few words, None when there was nothing to look at, and raises
    LackError when something lacks. Any CcisError and OSError counts as a lack too.
    """
    def register(look: Callable[[Host], str | None]) -> Callable[[Host], str | None]:
        _checks.append(Check(name, needed_for, required, remedy, look))
        return look

    return register


def all_checks() -> list[Check]:
    """Return every check of this package's modules, in the order of modules and lines."""
    modules_in("ccis.doctor")
    return list(_checks)


def examine(host: Host) -> Iterator[Outcome]:
    """Run the checks one after the other and yield what each found."""
    for each in all_checks():
        outcome = run_check(each, host)
        if outcome is not None:
            yield outcome


def run_check(each: Check, host: Host) -> Outcome | None:
    """Run one check; None: it had nothing to look at."""
    try:
        detail = each.look(host)
    except (LackError, CcisError, OSError) as error:
        log.debug("%s", each.name, exc_info=error)
        detail = str(error)
        if isinstance(error, CcisError):
            detail = ": ".join(filter(None, [error.what, error.why]))
        remedy = (error.remedy if isinstance(error, LackError | CcisError) else None) or each.remedy
        status: Status = "missing" if each.required else "warning"
        return Outcome(each.name, status, each.needed_for, detail, remedy)
    return None if detail is None else Outcome(each.name, "ok", each.needed_for, detail)
