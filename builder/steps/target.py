"""target: what the destinations change in the tree: packages on top, data sources, arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.packages import scriptlets
from builder.packages.choice import Choice
from builder.packages.on_top import install_on_top
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.frames import layer
from builder.steps.wish import Wish
from builder.tree.adapt import adapt
from images import catalogue
from images.target import Layer

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "target"
after = ("scripts",)
programs = ("rpm", "dnf")


class Inputs(contract.Inputs):
    """layer: what the targets change. target: the first of them, for messages.

    selection, choices: their packages, None and empty when they add none. may_fail: those with a
    scriptlet that may fail.
    """

    layer: Layer
    target: str
    selection: Wish | None
    choices: tuple[Choice, ...]
    may_fail: tuple[str, ...]


def inputs(facts: Facts) -> Inputs | None:
    """Only where a target changes something."""
    request = facts.request
    if request.layer.is_empty:
        return None
    return Inputs(**facts.common, layer=request.layer, target=request.targets[0].name,
                  selection=facts.more, choices=tuple(facts.extra),
                  may_fail=tuple(request.image.scriptlets_may_fail))


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Install what the targets add, then write what they want in the tree."""
    with layer(name, inputs, before, place) as tree:
        if inputs.selection and inputs.choices:
            problems = install_on_top(inputs.selection, inputs.choices, tree.root, place.store,
                                      inputs.epoch, place.progress, inputs.bounds,
                                      tree.sandbox.counted)
            scriptlets.check(problems, inputs.may_fail, place.progress.say)
        adapt(tree, inputs.layer, str(catalogue.target_file(inputs.target)))
