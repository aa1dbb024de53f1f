"""The layout of a disk as data: what stands where in the end, and what is made of partitions."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from builder.disk.parts import Disk, FileSystem, Partition, Table, Volume
from builder.disk.volume import Item
from builder.disk.volumes.registry import all_kinds, kind_of, members

# What holds other devices, or nothing, instead of files.
CONTAINERS = (*members(), "unused")
FSTYPES = ("xfs", "ext2", "ext3", "ext4", "vfat", "efi", "swap", "biosboot", "prepboot", "btrfs",
           *CONTAINERS)


class MemoryFileSystem(BaseModel):
    """A tmpfs: a line of fstab and a folder, and nothing on the disk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mountpoint: str
    fstab_options: str


if TYPE_CHECKING:
    StackItem = Item
else:
    StackItem = Annotated[
        reduce(operator.or_, (kind.model for kind in all_kinds().values())),
        Field(discriminator="kind"),
    ]
"""What may be in the stack: an item of one of the kinds that there are."""


class Layout(Disk):
    """A whole disk; `model_dump(mode="json")` is canonical and belongs into the plan's digest.

    stack: what is made of the partitions, in the order in which it is made.
    volumes: what is on the devices that the stack makes.
    memory: what is mounted in the guest and is on no disk.
    notes: what the kickstart says and the disk does not get, as (file and line, why); people
    must be shown them; not part of the identity.
    """

    stack: tuple[StackItem, ...] = ()
    volumes: tuple[Volume, ...] = ()
    memory: tuple[MemoryFileSystem, ...] = ()
    notes: tuple[tuple[str, str], ...] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _all_known(self) -> Self:
        _check_types((*self.partitions, *self.volumes))
        return self

    @property
    def filesystems(self) -> tuple[Partition | Volume, ...]:
        """Everything that holds files or swap, or that firmware reads: no parts of others."""
        both: tuple[Partition | Volume, ...] = (*self.partitions, *self.volumes)
        return tuple(part for part in both if part.fstype not in CONTAINERS)

    @property
    def root(self) -> Partition | Volume:
        """What is mounted at `/`."""
        found = self.at("/")
        assert found is not None  # plan_layout makes no layout without one
        return found

    def at(self, mountpoint: str) -> Partition | Volume | None:
        """Return what is mounted at a path, None when nothing is."""
        return next((part for part in self.filesystems if part.mountpoint == mountpoint), None)

    @property
    def mounted(self) -> tuple[Partition | Volume, ...]:
        """What holds parts of the root tree, outer ones before inner ones."""
        parts = [part for part in self.filesystems if part.mountpoint is not None]
        return tuple(sorted(parts, key=lambda part: (part.mountpoint or "").rstrip("/")))

    @property
    def mountpoints(self) -> tuple[str, ...]:
        """The folders that the root tree must have, outer ones first."""
        return tuple(part.mountpoint for part in self.mounted if part.mountpoint is not None)

    def below(self, mountpoint: str) -> tuple[str, ...]:
        """Return the mount points inside the one given, such as /boot/efi for /boot."""
        inside = mountpoint.rstrip("/") + "/"
        return tuple(
            point for point in self.mountpoints if point != mountpoint and point.startswith(inside)
        )

    def secrets(self) -> tuple[str, ...]:
        """Return the passphrases, which decide the image and are shown nowhere."""
        return tuple(secret for item in self.stack for secret in kind_of(item).secrets(item))


class DiskTable(BaseModel):
    """The partition table that a %pre script left on the disk, for `part --onpart`.

    disk_uuid, and each partition's part_uuid: None for one that was drawn at random and is to
    follow from the seed; a value for one that the script named.
    partitions: as they stand there, each of the type "unused" until a `part` line takes it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Table
    disk_uuid: str | None
    partitions: tuple[Partition, ...]

    @model_validator(mode="after")
    def _all_known(self) -> Self:
        _check_types(self.partitions)
        return self


def _check_types(places: Iterable[FileSystem]) -> None:
    for place in places:
        if place.fstype not in FSTYPES:
            raise ValueError(f"unknown file system type {place.fstype}")
