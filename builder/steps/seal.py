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
from builder.tree.tree import Tree
from host.beneath.root import Root
from specs.model import Rule

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "seal"
after = ("scripts", "target")
programs = ("setfiles", "rpm", "sqlite")

_SHOWN = 6
_FLEETING = ("/tmp/", "/var/tmp/", "/var/cache/")  # noqa: S108 – in the tree


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
        if lost := _lost(tree, Root(before["scripts"] / LAYER)):
            place.progress.say(f"what scripts wrote is not in the sealed image: {lost}")
        labels.relabel(tree, labelled, others)
        labels.restore_set_by_hand(tree, before["scripts"])
        installed.note(tree, inputs.rpm_database, scratch, place.folder)


def _lost(tree: Tree, own: Root) -> str:
    """Return what scripts left in their layer, `own`, and is gone by now; not what is fleeting."""
    lost = [each.path for each in own.walk() if (each.is_file or each.is_link)
            and not each.path.startswith(_FLEETING)
            and not tree.files.exists(each.path, follow=False)]
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    return ", ".join(sorted(lost)[:_SHOWN]) + more
