"""Takes the hour of the build out of a layer: same inputs, same tree, attribute for attribute.

Each step does it to its own layer, when the layer is full and before anybody sees it. What lies
in the layers below was settled by the steps that made them: a file is never copied up for its
time's sake.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from builder.root.databases import DNF_HISTORY, RPM_DATABASES, settle_dnf_history, settle_rpm

_DAY_S = 86400
_SHADOW = ("etc/shadow", "etc/shadow-")
_LAST_CHANGE, _SHADOW_FIELDS = 2, 9
# ldconfig's notes on inodes and times of the build host's file system (elf/cache.c of glibc,
# "aux cache"): they would be wrong in the image at once, and ldconfig makes them anew.
_HOST_NOTES = ("var/cache/ldconfig/aux-cache",)
# An upper file with this attribute has the owner, mode and labels only; its content is below
# (Documentation/filesystems/overlayfs.rst, "Metadata only copy up").
_METADATA_ONLY = "trusted.overlay.metacopy"


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


def settle(layer: Path, epoch: int, started_s: float) -> None:
    """Make a full layer follow from its inputs alone.

    layer: a folder, or the upper folder of an overlay that is no longer mounted. started_s: when
    its filling began, by the host's clock. Raises OSError.
    """
    hour = Hour(epoch, started_s, time.time())
    for name in _HOST_NOTES:
        if own(layer / name):
            (layer / name).unlink()
    for name in _SHADOW:
        if own(layer / name):
            _settle_shadow(layer / name, hour)
    for name in RPM_DATABASES:
        if own(layer / name):
            settle_rpm(layer / name)
    if own(layer / DNF_HISTORY):
        settle_dnf_history(layer / DNF_HISTORY, epoch)
    settle_times(layer, hour)


def own(path: Path) -> bool:
    """Say whether a layer has a file of its own there, content and all."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
    except (FileNotFoundError, NotADirectoryError):
        return False
    return _METADATA_ONLY not in os.listxattr(path, follow_symlinks=False)


def settle_times(layer: Path, hour: Hour) -> None:
    """Settle the time of every file, folder and link of a layer, the top folder's included."""
    _settle_time(layer, layer.lstat(), hour)
    waiting = [os.fspath(layer)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                _settle_time(entry.path, entry.stat(follow_symlinks=False), hour)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _settle_time(path: str | Path, status: os.stat_result, hour: Hour) -> None:
    settled = hour.settled(status.st_mtime_ns)
    if settled == status.st_mtime_ns:
        return
    try:
        os.utime(path, ns=(settled, settled), follow_symlinks=False)
    except PermissionError as error:
        if error.errno != errno.EPERM:  # EPERM: a script made it immutable (chattr(1))
            raise


def _settle_shadow(path: Path, hour: Hour) -> None:
    """Have the day of a password's last change follow from the epoch.

    shadow-utils and systemd-sysusers take it from SOURCE_DATE_EPOCH by themselves; PAM (passwd,
    chpasswd) takes the clock's.
    """
    lines = []
    for line in path.read_bytes().splitlines(keepends=True):
        fields = line.split(b":")
        if len(fields) == _SHADOW_FIELDS:
            with contextlib.suppress(ValueError):
                fields[_LAST_CHANGE] = b"%d" % hour.settled_day(int(fields[_LAST_CHANGE]))
        lines.append(b":".join(fields))
    _put(path, b"".join(lines))


def _put(path: Path, content: bytes) -> None:
    """Write a file's content anew if it changed; owner, mode and label stay."""
    if path.read_bytes() != content:
        path.write_bytes(content)
