"""The steps of artefact formats that are made from the tree, without and with its packages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from builder.steps.contract import Before, Place
from builder.steps.conversion import Conversion
from builder.steps.views import finished_tree


class TreeConversion(Conversion):
    """A format that is made from the finished tree."""

    @property
    def after(self) -> Sequence[str]:
        """The last step that changes the tree."""
        return ("seal",)

    @contextmanager
    def _source(self, before: Before, place: Place) -> Iterator[Path]:
        with finished_tree(before, place) as view:
            yield view
