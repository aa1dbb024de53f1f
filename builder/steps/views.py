"""The frame of steps that only read the tree: all its layers as one, which nobody can change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.steps.contract import Before, Place
from builder.store.result import LAYER
from host.mounts import read_only_overlay


def layers(before: Before) -> list[Path]:
    """Return the layers of the tree as it is so far, the topmost first."""
    return [data / LAYER for data in reversed([*before.values()]) if (data / LAYER).is_dir()]


@contextmanager
def finished_tree(before: Before, place: Place) -> Iterator[Path]:
    """Yield the tree as all layers make it, which nobody can change."""
    with place.store.staging() as scratch:
        (scratch / "view").mkdir()
        with read_only_overlay(layers(before), scratch / "view") as view:
            yield view
