"""What the planner has found out about one image: all that steps may pick their inputs from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from builder.artefact import About
from builder.disk.engine import Engine
from builder.disk.model import Layout
from builder.kickstart.model import Kickstart
from builder.packages.choice import Choice
from builder.packages.selection import Selection
from builder.request import Request
from builder.steps.inputs import Inputs
from specs.model import Rule


@dataclass(frozen=True)
class Facts:
    """What is known of an image before anything of it is made.

    engine: what makes the disk; None: the image has none, and `layout` is only what scripts see.
    about: what artefacts may say of themselves.
    pre: what the %pre scripts ran with, None when there are none.
    more: what the targets' packages are asked for with, None when they add none.
    extra: those packages, which come on top of `choices`.
    """

    request: Request
    kickstart: Kickstart
    selection: Selection
    choices: Sequence[Choice]
    epoch: int
    layout: Layout
    engine: Engine | None
    rules: Sequence[Rule]
    about: About
    pre: Inputs | None
    more: Selection | None
    extra: Sequence[Choice]

    @property
    def common(self) -> dict[str, Any]:
        """What every step that runs programs of the tree needs."""
        return {"epoch": self.epoch, "bounds": self.request.image.bounds,
                **({"root_device": self.layout.root.device} if self.engine else {})}
