"""The frame of steps that change the tree: each adds a layer over those below."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.sandbox.sandbox import Sandbox
from builder.steps.contract import Before, Inputs, Place
from builder.steps.views import layers
from builder.store.result import LAYER
from builder.tree import normalise
from builder.tree.bounds import check_depth
from builder.tree.tree import Tree
from builder.tree.twins import keep_twins
from host.beneath.root import Root
from host.mounts import overlay, read_only_overlay

_OVERLAYS = "trusted.overlay."


@contextmanager
def layer(
    name: str, inputs: Inputs, before: Before, place: Place, *, network: bool = False,
) -> Iterator[Tree]:
    """Yield the tree so far, to be changed; what was changed becomes the step's layer.

    name, inputs: the step's. network: whether programs in it may use the host's.
    When the block ends well, the hour of the build is taken out of the layer.
    """
    lower = layers(before)
    upper, started_s = place.folder / LAYER, time.time()
    upper.mkdir()
    shutil.copystat(lower[0], upper)  # mode and label of / come from the topmost layer
    for attribute in os.listxattr(upper):
        if attribute.startswith(_OVERLAYS):  # which names the layer below that one
            os.removexattr(upper, attribute)
    with place.store.staging() as scratch:
        (scratch / "work").mkdir()
        (scratch / "view").mkdir()
        with overlay(lower, upper, scratch / "work", scratch / "view",
                     inputs.root_device) as view:
            yield Tree(view, Sandbox(
                view, inputs.epoch, network=network, bounds=inputs.bounds, counted=(upper,)))
            keep_twins(view, upper)
    if normalise.settle(upper, inputs.epoch, started_s, name):
        with place.store.staging() as scratch, read_only_overlay([upper, *lower], scratch) as view:
            check_depth(Root(view), name)


@contextmanager
def lowest_layer(name: str, inputs: Inputs, place: Place) -> Iterator[Path]:
    """Yield the empty folder of a layer that has none below; settled like any other."""
    root, started_s = place.folder / LAYER, time.time()
    root.mkdir()
    yield root
    normalise.settle(root, inputs.epoch, started_s, name)
