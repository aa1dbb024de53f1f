"""What an engine is, which writes disk images: the contract of each module of engines/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from builder.disk.embed import Patch
from builder.disk.model import Layout
from builder.tree.marks import NO_MARKS, Marks
from host.progress import Progress


class Engine(Protocol):
    """What an engine offers; a module with these names is one."""

    @property
    def name(self) -> str:
        """How --engine calls it."""

    @property
    def rank(self) -> int:
        """Its place among those that --engine auto tries, the lowest first."""

    @property
    def suits(self) -> str:
        """Why it is taken where it can be, one clause without a final stop."""

    def unfit(self, layout: Layout) -> str | None:
        """Return why it cannot make this layout on this host, or None when it can."""

    def write(
        self, layout: Layout, tree: Path, patches: Sequence[Patch], destination: Path,
        source_date_epoch: int, progress: Progress, marks: Marks = NO_MARKS,
    ) -> None:
        """Write a raw disk image, sparse, with zeroes wherever nothing was put.

        tree: the finished root tree, with a folder for each of the layout's mount points; what
        is mounted inside it is left out. patches: the boot sectors, from embed.boot_patches().
        destination: a file that is not there yet; after a failure it is not there either. It is
        not flushed to its disk: who keeps it does that. source_date_epoch: the time that goes
        into what file systems note about themselves. progress: the caller starts and finishes
        the step "disk"; the engine advances it. marks: what chattr(1) gave files of the tree.

        Raises InputError when the tree does not fit the layout, HostError for all that the host
        lacks, space above all.
        """

    def identity(self) -> dict[str, str]:
        """Return the versions of the programs that shape the image, for the digest."""
