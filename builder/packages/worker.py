"""What a process of ours sees in a sandbox: the host's programs, Python, and our own code."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from builder.sandbox.enclosure import Enclosure
from builder.sandbox.programs import show_programs

PROJECT = Path(__file__).parents[2]
_ROOMS = ("builder", "host")
"""What such a process imports of ours."""


def show_worker(made: Enclosure, more: Iterable[Path] = ()) -> None:
    """Show what runs one of our modules, and more of the host's paths, all read-only."""
    python = {Path(name) for name in (sys.prefix, sys.base_prefix, *sys.path) if name}
    show_programs(made, [*sorted(python - {PROJECT}), *(PROJECT / room for room in _ROOMS), *more])
