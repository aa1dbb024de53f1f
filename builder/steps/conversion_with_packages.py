"""The steps of artefact formats that carry the tree's packages and their groups, such as media."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from builder.artefact import About
from builder.packages.choice import Choice
from builder.packages.comps import comps_files
from builder.packages.near import rpm_files
from builder.steps import conversion
from builder.steps.contract import Place
from builder.steps.conversion_of_tree import TreeConversion
from builder.steps.wish import Wish

if TYPE_CHECKING:
    from builder.steps.facts import Facts


class Inputs(conversion.Inputs):
    """selection, choices: the packages. groups: the SHA-256 of their repositories' indexes."""

    selection: Wish
    choices: tuple[Choice, ...]
    groups: tuple[str, ...]


class MediumConversion(TreeConversion):
    """A format that is made from the finished tree and from what it was made of."""

    def inputs(self, facts: Facts) -> Inputs:
        """Pick what the format uses, and all that was installed."""
        return Inputs(
            epoch=facts.epoch, options=dict(self.format.identity()),
            about=facts.about.only(self.format.uses), selection=facts.selection,
            choices=(*facts.choices, *facts.extra),
            groups=tuple(each.repomd_sha256 for each in facts.selection.snapshots))

    def _about(self, inputs: Any, place: Place) -> About:
        about: About = inputs.about
        return replace(
            about, comps=comps_files(inputs.selection, place.store),
            packages=rpm_files(inputs.selection, inputs.choices, place.store, place.progress))
