"""Takes the hour of the build out of a layer: same inputs, same tree, attribute for attribute.

Each step does it to its own layer, when the layer is full and before anybody sees it. What lies
in the layers below was settled by the steps that made them: a file is never copied up for its
time's sake.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builder.tree.bounds import check_path
from builder.tree.databases import DNF_HISTORY, RPM_DATABASES, settle_dnf_history, settle_rpm
from builder.tree.tree import named
from host.beneath.root import Root
from host.beneath.walk import Found

_DAY_S = 86400
_SHADOW = ("/etc/shadow", "/etc/shadow-")
_LAST_CHANGE, _SHADOW_FIELDS = 2, 9
# ldconfig's notes on inodes and times of the build host's file system (elf/cache.c of glibc,
# "aux cache"): they would be wrong in the image at once, and ldconfig makes them anew.
_HOST_NOTES = ("/var/cache/ldconfig/aux-cache",)
# An upper file with this attribute has the owner, mode and labels only; its content is below
# (Documentation/filesystems/overlayfs.rst, "Metadata only copy up").
_METADATA_ONLY = "trusted.overlay.metacopy"
MOVED = "trusted.overlay.redirect"
"""A folder with this attribute shows what a layer below has under another name ("redirect_dir",
ibid.)."""


@dataclass(frozen=True)
class Hour:
    """When a layer was filled, and the time that stands in its place.

    epoch: SOURCE_DATE_EPOCH in seconds. started_s, ended_s: by the host's clock.
    """

    epoch: int
    started_s: float
    ended_s: float

    def settled(self, time_ns: int) -> int:
        """Return what a file's time becomes, in nanoseconds.

        Times after the epoch are set back to it, as `tar --clamp-mtime` does and
        https://reproducible-builds.org/specs/source-date-epoch/ asks; and so are those of the
        build itself, should its host's clock be behind. All others keep their whole seconds: more
        than these neither rpm, ext4's mke2fs nor plain tar keeps.
        """
        seconds = time_ns // 10**9
        made_now = int(self.started_s) <= seconds <= self.ended_s
        return (self.epoch if made_now or seconds > self.epoch else seconds) * 10**9

    def settled_day(self, day: int) -> int:
        """Return what a day in /etc/shadow becomes: that of the epoch, if it is the build's."""
        made_now = int(self.started_s) // _DAY_S <= day <= int(self.ended_s) // _DAY_S
        return self.epoch // _DAY_S if made_now else day


def settle(layer: Path, epoch: int, started_s: float, step: str) -> bool:
    """Make a full layer follow from its inputs alone.

    layer: a folder, or the upper folder of an overlay that is no longer mounted. started_s: when
    its filling began, by the host's clock. step: what filled it, for errors.
    Returns whether it says of folders that they were moved here from a layer below, so that what
    is in them is not in sight. Raises InputError for what no image can have, OSError.
    """
    hour, root = Hour(epoch, started_s, time.time()), Root(layer)
    ways: dict[str, Callable[[str], None]] = {
        **dict.fromkeys(_HOST_NOTES, root.remove),
        **dict.fromkeys(_SHADOW, lambda name: _settle_shadow(root, name, hour)),
        **dict.fromkeys(RPM_DATABASES, lambda name: settle_rpm(root, name)),
        DNF_HISTORY: lambda name: settle_dnf_history(root, name, epoch),
    }
    for name, settled in ways.items():
        with named(name):
            if own(root, name):
                settled(name)
    with named("/"):
        return settle_times(root, hour, step)


def own(root: Root, inside: str) -> bool:
    """Say whether a layer has a file of its own there, content and all."""
    return root.is_file(inside, follow=False) and root.attribute(inside, _METADATA_ONLY) is None


def settle_times(root: Root, hour: Hour, step: str) -> bool:
    """Settle the time of every file, folder and link of a layer, the top folder's included.

    Returns whether a folder was moved here from a layer below.
    """
    moved = False
    with root.folder() as top:
        _settle_time(Found("/", ".", top, os.fstat(top)), hour)
    for found in root.walk():
        check_path(found.path, step)
        _settle_time(found, hour)
        moved = moved or (found.is_folder and MOVED in found.attributes())
    return moved


def _settle_time(found: Found, hour: Hour) -> None:
    settled = hour.settled(found.status.st_mtime_ns)
    if settled == found.status.st_mtime_ns:
        return
    try:
        found.set_time(settled)
    except PermissionError as error:
        if error.errno != errno.EPERM:  # EPERM: a script made it immutable (chattr(1))
            raise


def _settle_shadow(root: Root, inside: str, hour: Hour) -> None:
    """Have the day of a password's last change follow from the epoch.

    shadow-utils and systemd-sysusers take it from SOURCE_DATE_EPOCH by themselves; PAM (passwd,
    chpasswd) takes the clock's.
    """
    before, lines = root.read(inside), []
    for line in before.splitlines(keepends=True):
        fields = line.split(b":")
        if len(fields) == _SHADOW_FIELDS:
            with contextlib.suppress(ValueError):
                fields[_LAST_CHANGE] = b"%d" % hour.settled_day(int(fields[_LAST_CHANGE]))
        lines.append(b":".join(fields))
    if (after := b"".join(lines)) != before:
        root.write(inside, after)
