"""disk: partition table, file systems and boot sectors, written by an engine."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from builder.booting.bootloader import BIOS_FILES
from builder.disk.embed import tree_patches
from builder.disk.engines import registry as engines
from builder.disk.model import Layout
from builder.packages import installed
from builder.scripting.disk import changed_layout
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.views import finished_tree
from builder.store.result import IMAGE
from builder.tree import marks

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "disk"
after = ("seal",)
programs = ()


class Inputs(contract.Inputs):
    """engine: its name. tools: the versions of what it uses. passphrases: of LUKS."""

    may_hold_secrets = ("passphrases",)

    layout: Layout
    engine: str
    tools: dict[str, str]
    passphrases: tuple[str, ...]

    def is_secret(self, name: str) -> bool:
        """Say so of passphrases, unless there are none."""
        return name == "passphrases" and any(self.passphrases)


def inputs(facts: Facts) -> Inputs | None:
    """Only an image with a disk."""
    if facts.engine is None:
        return None
    return Inputs(epoch=facts.epoch, layout=facts.layout, engine=facts.engine.name,
                  tools=facts.engine.identity(), passphrases=facts.layout.secrets())


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Write the image; scripts may have changed flags and types of its partitions."""
    layout = inputs.layout
    for data in before.values():
        layout = changed_layout(layout, data)
    listing = before["seal"] / installed.FILE
    if listing.is_file():
        shutil.copyfile(listing, place.folder / installed.FILE)
    with finished_tree(before, place) as view:
        patches = tree_patches(layout, view, BIOS_FILES)
        engines.get(inputs.engine).write(
            layout, view, patches, place.folder / IMAGE, inputs.epoch, place.progress,
            marks.load(before.values()))
