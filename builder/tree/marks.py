"""What chattr(1) gives files in scripts: noted beside a step's layer, given to the disk's files.

A layer can't hold it: overlayfs keeps `i` and `a` in an attribute of its own, which counts in the
uppermost layer only, and the host's file system need not be the image's (ioctl_iflags(2)).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from host.beneath.openat2 import reopen
from host.beneath.remove import GET_FLAGS, SET_FLAGS
from host.beneath.root import Root
from host.errors import HostError

_FILE = "marks.json"
LETTERS = {"s": 0x1, "u": 0x2, "c": 0x4, "S": 0x8, "i": 0x10, "a": 0x20, "d": 0x40, "A": 0x80,
           "m": 0x400, "j": 0x4000, "t": 0x8000, "D": 0x10000, "T": 0x20000, "C": 0x800000,
           "P": 0x20000000}
"""<linux/fs.h>, in chattr(1)'s letters. The others say how a file lies on its disk."""
_ALL = sum(LETTERS.values())
_OF_OVERLAYS = "trusted.overlay.protattr"  # fs/overlayfs/util.c
_NONE = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL)

Marks = Mapping[str, int]
"""Flags by path in the tree."""
NO_MARKS: Marks = {}


def save(layer: Path, folder: Path) -> None:
    """Note the flags of a layer's files in a step's result; nothing is noted of none."""
    found: dict[str, int] = {}
    root = Root(layer)
    with root.folder() as top:
        inherited = _flags(top)  # of the store's own folder
    for each in root.walk():
        if each.is_file or each.is_folder:
            with root.handle(each.path) as handle:
                flags = _flags(handle) & ~inherited
            for letter in each.attributes().get(_OF_OVERLAYS, b"").decode("ascii", "replace"):
                flags |= LETTERS.get(letter, 0)
            if flags:
                found[each.path] = flags
    if found:
        (folder / _FILE).write_text(json.dumps(found, indent=1), encoding="utf-8")


def load(results: Iterable[Path]) -> dict[str, int]:
    """Return what steps noted, the later ones last."""
    found: dict[str, int] = {}
    for folder in results:
        if (file := folder / _FILE).is_file():
            found.update(json.loads(file.read_text(encoding="utf-8")))
    return found


def below(marks: Marks, mountpoint: str, inner: Iterable[str]) -> dict[str, int]:
    """Return the flags of what lies on one file system, by paths from its top.

    inner: the mount points below it.
    """
    top, others = mountpoint.rstrip("/"), [f"{point.rstrip('/')}/" for point in inner]
    return {path.removeprefix(top): flags for path, flags in marks.items()
            if path.startswith(f"{top}/") and not any(
                f"{path}/".startswith(point) for point in others)}


def give(root: Root, marks: Marks) -> None:
    """Give a mounted file system's files their flags; those that it does not know are left out.

    A path where no file or folder is by now is left out, too.
    """
    for path, flags in marks.items():
        if not (root.is_file(path, follow=False) or root.is_folder(path, follow=False)):
            continue
        with root.handle(path) as handle:
            descriptor = reopen(handle, os.O_RDONLY | os.O_NONBLOCK)
        try:
            there = _read(descriptor)
            for flag in LETTERS.values():
                if flags & flag and not there & flag and _set(descriptor, there | flag):
                    there |= flag
        finally:
            os.close(descriptor)


def letters(flags: int) -> str:
    """Return flags as chattr(1) takes them."""
    return "".join(letter for letter, flag in LETTERS.items() if flags & flag)


def _flags(handle: int) -> int:
    descriptor = reopen(handle, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return _read(descriptor) & _ALL
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> int:
    try:
        return int(struct.unpack("i", fcntl.ioctl(descriptor, GET_FLAGS, bytes(4)))[0])
    except OSError as error:
        if error.errno in _NONE:
            return 0
        raise


def _set(descriptor: int, flags: int) -> bool:
    try:
        fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("i", flags))
    except OSError as error:
        if error.errno in _NONE:
            return False
        raise HostError("a file's flags can't be set", why=error.strerror) from error
    return True
