"""What is on a device: the fields of a file system, from the request for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.disk.ids import file_system_id
from builder.disk.mkfs_files import objection
from builder.disk.mkfs_options import split_options
from builder.disk.model import CONTAINERS
from builder.disk.parts import FsType
from builder.disk.requests import FormatRequest
from builder.disk.types import check, check_size, is_mounted
from host.errors import InputError

_FSTAB_DEFAULTS = {"efi": "umask=0077,shortname=winnt"}  # as blivet's EFIFS has them


@dataclass
class Notebook:
    """What all of a layout shares while it is planned.

    seed: what every UUID follows from. mkfs_defaults: options of mkfs per file system, before
    those of the kickstart. notes: what people must be told. points: what is mounted so far.
    """

    seed: str
    mkfs_defaults: Mapping[str, Sequence[str]]
    notes: list[tuple[str, str]] = field(default_factory=list)
    points: dict[str, str] = field(default_factory=dict)

    def note(self, where: str, text: str) -> None:
        """Remember what people must be told."""
        self.notes.append((where, text))

    def claim(self, point: str, where: str) -> None:
        """Raise InputError when a mount point is taken already."""
        if point in self.points:
            raise InputError(f"two file systems for {point}", where=where,
                             why=f"the first one is at {self.points[point]}")
        self.points[point] = where


def content(
    request: FormatRequest, fstype: FsType, size_bytes: int, own: str, book: Notebook,
) -> dict[str, Any]:
    """Return the fields of parts.FileSystem for what a request wants on its device.

    own: what tells the device from all others, for its UUID.
    """
    check(request, fstype)
    check_size(request.mountpoint, fstype, size_bytes, request.where)
    mounted = is_mounted(request, fstype)
    if mounted or fstype in ("biosboot", "prepboot"):
        book.claim(request.mountpoint, request.where)
    options: tuple[str, ...] = ()
    derived: str | None = None
    if fstype not in (*CONTAINERS, "biosboot", "prepboot"):
        options = _options(request, fstype, book)
        derived = file_system_id(fstype, book.seed, f"file system {own}")
    return {
        "mountpoint": request.mountpoint if mounted else None, "fstype": fstype,
        "size_bytes": size_bytes,
        "fs_uuid": request.uuid or derived,
        "label": request.label, "mkfs_options": options,
        "fstab_options": request.fstab_options or _FSTAB_DEFAULTS.get(fstype, "defaults"),
        "where": request.where,
    }


def _options(request: FormatRequest, fstype: str, book: Notebook) -> tuple[str, ...]:
    taken, foreign = split_options(fstype, request.mkfs_options)
    if foreign:
        book.note(request.where, f"--mkfsoptions: {' '.join(foreign)} is not for {fstype} "
                                 f"and left out for {request.mountpoint}")
    if wrong := objection(fstype, taken):
        raise InputError(f"--mkfsoptions: {wrong}", where=request.where,
                         remedy="leave it out")
    profile: tuple[str, ...] = ()
    if request.profile and fstype in ("ext2", "ext3", "ext4"):
        profile = ("-T", request.profile)  # mke2fs(8): the usage type, from mke2fs.conf
    elif request.profile:
        book.note(request.where, f"--fsprofile has no meaning for {fstype}")
    return (*book.mkfs_defaults.get(fstype, ()), *profile, *taken)
