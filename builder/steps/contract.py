"""What a step is: inputs that decide its result, and a function that makes the result of them.

A module of this folder with `name`, `after`, `programs`, `inputs()` and `make()` is a step, and
nothing else has to know of it. Its identity is computed (builder/graph.py): the JSON of its inputs,
the code that its module imports (builder/identity.py), the versions of its programs, and the steps
before it. So `make` gets nothing but its inputs, the results before it, and a place. What the parts
of a result are called stands in builder/store/result.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from builder.steps.inputs import Inputs

if TYPE_CHECKING:  # what a step may look at is no part of what it does
    from builder.steps.facts import Facts
    from builder.store.store import Store
    from host.progress import Progress

__all__ = ["Before", "Inputs", "Place", "Step"]

Before = Mapping[str, Path]
"""The results before a step by the names of their steps, the lowest layer first."""


@dataclass(frozen=True)
class Place:
    """Where a step works.

    folder: the result in the making; what is in it at the end is kept. store: for scratch folders
    and fetched packages. progress: the step's own; its caller starts and ends it.
    """

    folder: Path
    store: Store
    progress: Progress


class Step(Protocol):
    """What a module of this folder offers."""

    @property
    def name(self) -> str:
        """How people and the store call it."""

    @property
    def after(self) -> Sequence[str]:
        """The steps whose results it starts from, of those that there are; lower ones first."""

    @property
    def programs(self) -> Sequence[str]:
        """The host's programs and libraries whose versions decide the result (programs.py)."""

    def inputs(self, facts: Facts) -> Inputs | None:
        """Pick from what is known of an image what the step reads; None: it has no such step."""

    def make(self, inputs: Any, before: Before, place: Place) -> None:
        """Make the result in `place.folder`. `inputs` is what inputs() returned.

        Raises CcisError or OSError; whatever is in the folder then is thrown away.
        """
