"""pre-install: %pre-install runs before there are packages; what it makes is the lowest layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.disk.model import Layout
from builder.scripting import scripts
from builder.scripting.pre import ROOT
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.fields import ScriptText
from builder.steps.frames import lowest_layer
from builder.tree import marks

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "pre-install"
after = ("pre",)
programs = ("sfdisk",)


class Inputs(contract.Inputs):
    """on_error: the %onerror scripts. arguments: of the installer's command line."""

    may_hold_secrets = ("scripts", "on_error", "arguments")

    scripts: tuple[ScriptText, ...]
    on_error: tuple[ScriptText, ...]
    layout: Layout
    arguments: str


def inputs(facts: Facts) -> Inputs | None:
    """Only a kickstart that has such scripts; they are rare."""
    found = facts.kickstart.scripts_of("%pre-install")
    if not found:
        return None
    return Inputs(
        **facts.common, scripts=tuple(found), layout=facts.layout,
        on_error=tuple(facts.kickstart.scripts_of("%onerror")),
        arguments=facts.request.image.installer_arguments)


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Run the scripts with an empty tree at /mnt/sysimage; the installer's folders are kept."""
    with lowest_layer(name, inputs, place) as root, place.store.staging() as scratch:
        setting = scripts.Setting(
            inputs.scripts, inputs.on_error, inputs.layout,
            before["pre"] / ROOT if "pre" in before else None, inputs.arguments, scratch,
            place.folder, place.progress, inputs.bounds)
        scripts.run_pre_install(root, setting)
        marks.save(root, place.folder)
