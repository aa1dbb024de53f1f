"""The engines that write disk images: their contract, and which one takes a layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from builder.disk import direct, guestfs_engine
from builder.disk.embed import Patch
from builder.disk.model import Layout
from host.errors import HostError, InputError
from host.progress import Progress

Preference = Literal["auto", "direct", "guestfs"]


class Engine(Protocol):
    """What an engine offers; a module with these names is one."""

    @property
    def name(self) -> str:
        """How --engine calls it."""

    def unfit(self, layout: Layout) -> str | None:
        """Return why it cannot make this layout on this host, or None when it can."""

    def write(
        self, layout: Layout, tree: Path, patches: Sequence[Patch], destination: Path,
        source_date_epoch: int, progress: Progress,
    ) -> None:
        """Write a raw disk image, sparse, with zeroes wherever nothing was put.

        tree: the finished root tree, with a folder for each of the layout's mount points; what
        is mounted inside it is left out. patches: the boot sectors, from embed.boot_patches().
        destination: a file that is not there yet; after a failure it is not there either. It is
        not flushed to its disk: who keeps it does that. source_date_epoch: the time that goes
        into what file systems note about themselves. progress: the caller starts and finishes
        the step "disk"; the engine advances it.

        Raises InputError when the tree does not fit the layout, HostError for all that the host
        lacks, space above all.
        """

    def identity(self) -> dict[str, str]:
        """Return the versions of the programs that shape the image, for the digest."""


ENGINES: dict[str, Engine] = {
    direct.name: direct,
    guestfs_engine.name: guestfs_engine,
}


def choose(preference: str, layout: Layout) -> tuple[Engine, str]:
    """Return the engine for a layout and the reason for it, one clause without a final stop.

    preference: the value of --engine: `auto`, or an engine's name.
    Raises InputError for a name that is none, HostError when the engine asked for, or with
    `auto` each of them, cannot do it here.
    """
    if preference == "auto":
        against = direct.unfit(layout)
        if against is None:
            return direct, "the layout is of plain partitions, and this host allows it"
        further = guestfs_engine.unfit(layout)
        if further is None:
            return guestfs_engine, f"direct is not possible: {against}"
        raise HostError(
            "no engine can write this disk here", why=f"direct: {against}; guestfs: {further}",
            remedy="run as root after tools/setup; `ccis doctor` tells more",
        )
    if preference not in ENGINES:
        raise InputError(
            f"unknown engine {preference}", remedy="known engines: auto, " + ", ".join(ENGINES),
        )
    engine = ENGINES[preference]
    if against := engine.unfit(layout):
        raise HostError(
            f"the {preference} engine cannot write this disk here", why=against,
            remedy="use --engine auto, or see `ccis doctor`",
        )
    return engine, "asked for"
