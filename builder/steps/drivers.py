"""drivers: only looks, whether the initramfs has what the destinations need.

Nothing comes after it, so that targets that need different drivers share one disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.booting.drivers import check_drivers
from builder.sandbox.sandbox import Sandbox
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.views import finished_tree
from builder.tree.tree import Tree
from images import catalogue

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "drivers"
after = ("seal",)
programs = ()


class Inputs(contract.Inputs):
    """drivers: kernel modules by the target's name, "a|b" where either will do."""

    drivers: dict[str, list[str]]


def inputs(facts: Facts) -> Inputs | None:
    """Only an image with a disk, and a target that needs something."""
    if facts.engine is None or not facts.request.drivers:
        return None
    return Inputs(epoch=facts.epoch,
                  drivers={each.name: each.drivers for each in facts.request.targets})


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Raise InputError when a driver is missing."""
    wanted = {str(catalogue.target_file(name)): drivers for name, drivers in inputs.drivers.items()}
    with finished_tree(before, place) as view:
        check_drivers(Tree(view, Sandbox(view, inputs.epoch)), wanted)
