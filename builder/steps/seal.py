"""seal: the spec's rules marked `seal: true`, then SELinux labels over everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.packages import installed
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.frames import layer
from builder.steps.views import layers
from builder.store.result import LAYER
from builder.tree import labels, seal
from specs.model import Rule

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "seal"
after = ("scripts", "target")
programs = ("setfiles", "rpm", "sqlite")


class Inputs(contract.Inputs):
    """rules: those to be made true. rpm_database: its folder in the tree."""

    rules: tuple[Rule, ...]
    rpm_database: str


def inputs(facts: Facts) -> Inputs:
    """Every image is sealed."""
    return Inputs(**facts.common, rules=tuple(facts.rules),
                  rpm_database=facts.request.release.rpm_database)


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Seal, label, and note which packages the finished tree holds."""
    labelled = before["packages"] / LAYER
    others = [place.folder / LAYER, *(each for each in layers(before) if each != labelled)]
    with layer(name, inputs, before, place) as tree, place.store.staging() as scratch:
        seal.seal(tree, inputs.rules)
        labels.relabel(tree, labelled, others)
        labels.restore_set_by_hand(tree, before["scripts"])
        installed.note(tree, inputs.rpm_database, scratch, place.folder)
