"""settings: fstab, and what each command of the kickstart says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.booting import bootloader
from builder.disk.fstab import fstab, volume_files
from builder.disk.model import Layout
from builder.kickstart.layout import without_partitions
from builder.kickstart.registry import apply
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.fields import Lines
from builder.steps.frames import layer

if TYPE_CHECKING:
    from builder.kickstart.read import Kickstart
    from builder.steps.facts import Facts
    from builder.tree.tree import Tree

name = "settings"
after = ("pre-install", "packages")
programs = ("useradd", "libcrypt.so.1")


class Inputs(contract.Inputs):
    """kickstart: its commands, add-ons and certificates. layout: without partitions in a container.
    """

    may_hold_secrets = ("kickstart",)

    kickstart: Lines
    layout: Layout


def inputs(facts: Facts) -> Inputs:
    """Every image has settings."""
    layout = facts.layout if facts.engine else without_partitions(facts.layout)
    return Inputs(**facts.common, kickstart=facts.kickstart.lines(), layout=layout)


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Change the tree as the commands say; InputError, with file and line, where it can't be."""
    with layer(name, inputs, before, place) as tree:
        configure(tree, inputs.kickstart, inputs.layout)
        bootloader.write_settings(tree, inputs.kickstart, inputs.layout)


def configure(tree: Tree, kickstart: Kickstart, layout: Layout) -> None:
    """Write the mount points, /etc/fstab, crypttab and the like, then do what every command says.

    Raises InputError, with the command's file and line, for what the tree can't fulfil.
    """
    for mountpoint in (*layout.mountpoints, *(each.mountpoint for each in layout.memory)):
        tree.make_folder(mountpoint)
    tree.write("/etc/fstab", fstab(layout))
    for file in volume_files(layout):
        tree.write(file.path, file.text, mode=file.mode)
    apply(kickstart, tree)
