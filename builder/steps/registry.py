"""Which steps there are: each module of this folder that has make(), and each artefact format."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

from builder import steps
from builder.artefact import TREE, Format
from builder.formats import registry as formats
from builder.steps.contract import Step
from builder.steps.conversion import Conversion
from builder.steps.conversion_of_tree import TreeConversion
from builder.steps.conversion_with_packages import MediumConversion
from host.discovery import modules_in


@cache
def steps_of_an_image() -> dict[str, Step]:
    """Return the steps that make tree and disk, by name."""
    return {module.name: cast(Step, module) for module in modules_in(steps)
            if hasattr(module, "make") and hasattr(module, "name")}


@cache
def get(name: str) -> Step:
    """Return a step by its name; a format's is that of the format.

    Raises InputError for a format that there is none of.
    """
    return steps_of_an_image().get(name) or _conversion(formats.get(name))


def _conversion(wish: Format) -> Conversion:
    if "packages" in wish.uses:
        return MediumConversion(wish)
    return TreeConversion(wish) if wish.source == TREE else Conversion(wish)


def modules_of(step: Step) -> Sequence[str]:
    """Return the modules whose code, with all that they import, is the step's."""
    return step.modules if isinstance(step, Conversion) else (str(vars(step)["__name__"]),)
