"""initramfs: the tree's own dracut, once per kernel, with all drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.booting import initramfs
from builder.disk.model import Layout
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.frames import layer
from images import catalogue

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "initramfs"
after = ("settings",)
programs = ()


class Inputs(contract.Inputs):
    """layout: what the initramfs must be able to open. drivers: modules for all destinations."""

    layout: Layout
    drivers: tuple[str, ...]


def inputs(facts: Facts) -> Inputs:
    """Every image: a container has no kernel, and the step then changes nothing."""
    return Inputs(**facts.common, layout=facts.layout, drivers=tuple(catalogue.all_drivers()))


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Run dracut; InputError for a kernel without it, HostError when it fails."""
    with layer(name, inputs, before, place) as tree:
        initramfs.make(tree, inputs.layout, place.progress, inputs.drivers)
