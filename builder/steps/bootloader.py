"""bootloader: GRUB's menu, core image (BIOS) and stub (UEFI), by the tree's own GRUB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.booting import bootloader
from builder.disk.model import Layout
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.fields import Lines
from builder.steps.frames import layer

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "bootloader"
after = ("initramfs",)
programs = ()


class Inputs(contract.Inputs):
    """kickstart: `bootloader`, and the add-on that reserves memory for kdump."""

    may_hold_secrets = ("kickstart",)

    kickstart: Lines
    layout: Layout


def inputs(facts: Facts) -> Inputs | None:
    """Only an image with a disk has one."""
    if facts.engine is None:
        return None
    kickstart = facts.kickstart.lines("bootloader", "%addon com_redhat_kdump")
    return Inputs(**facts.common, kickstart=kickstart, layout=facts.layout)


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Make GRUB's files; InputError where %packages brings none, HostError when a tool fails."""
    with layer(name, inputs, before, place) as tree:
        bootloader.install(tree, inputs.kickstart, inputs.layout)
