"""resolution: which packages the kickstart's wish comes to, asked of dnf while the plan is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.packages.dnf_process import ask_dnf
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.wish import Wish

if TYPE_CHECKING:
    from builder.packages.selection import Selection
    from builder.steps.facts import Facts

name = "resolution"
after = ()
programs = ("rpm", "dnf")

_ANSWER = "packages.json"


class Inputs(contract.Inputs):
    """repositories: what decides which packages each of them gives (Snapshot.identity)."""

    selection: Wish
    repositories: tuple[tuple[Any, ...], ...]


def inputs_of(selection: Selection) -> Inputs:
    """Return the inputs of a wish: same wish, same repositories, same packages."""
    return Inputs(epoch=0, selection=selection,
                  repositories=tuple(each.identity for each in selection.snapshots))


def inputs(facts: Facts) -> None:
    """It is no part of an image's graph: what was chosen is an input of what comes next."""


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Ask dnf; see builder.packages.install.resolution() for its errors."""
    answer = ask_dnf("resolve", inputs.selection, place.store)
    (place.folder / _ANSWER).write_text(json.dumps(answer), encoding="utf-8")


def result(data: Path) -> dict[str, Any]:
    """Return dnf's answer."""
    answer: dict[str, Any] = json.loads((data / _ANSWER).read_text(encoding="utf-8"))
    return answer
