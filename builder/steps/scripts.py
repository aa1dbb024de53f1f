"""scripts: %post, in a sandbox without network unless the image asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.disk.model import Layout
from builder.scripting import scripts
from builder.scripting.pre import ROOT
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.fields import ScriptText
from builder.steps.frames import layer
from builder.store.result import LAYER
from builder.tree import marks

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "scripts"
after = ("pre", "pre-install", "initramfs", "bootloader")
programs = ("sfdisk",)


class Inputs(contract.Inputs):
    """on_error: the %onerror scripts. arguments: of the installer's command line."""

    may_hold_secrets = ("scripts", "on_error", "arguments")

    scripts: tuple[ScriptText, ...]
    on_error: tuple[ScriptText, ...]
    layout: Layout
    arguments: str
    network: bool


def inputs(facts: Facts) -> Inputs:
    """Every image; without a %post the layer is empty."""
    image = facts.request.image
    return Inputs(
        **facts.common, scripts=tuple(facts.kickstart.scripts_of("%post")),
        on_error=tuple(facts.kickstart.scripts_of("%onerror")), layout=facts.layout,
        arguments=image.installer_arguments, network=image.network_in_post)


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Run the scripts; InputError with file and line for one that fails and may not."""
    with (
        layer(name, inputs, before, place, network=inputs.network) as tree,
        place.store.staging() as scratch,
    ):
        installer = next((before[each] / ROOT for each in ("pre-install", "pre")
                          if each in before), None)
        scripts.run_post(tree, scripts.Setting(
            inputs.scripts, inputs.on_error, inputs.layout, installer, inputs.arguments, scratch,
            place.folder, place.progress, inputs.bounds, tree.sandbox.counted))
        marks.save(place.folder / LAYER, place.folder)
