"""The inode numbers of files whose names debugfs(8) can't be told: those with line breaks."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from host.run import run

_ROOT = 2  # EXT2_ROOT_INO
_ENTRY = struct.Struct("<IHB")  # struct ext2_dir_entry_2: inode, rec_len, name_len, file_type, name
_NAME_AT = 8


def numbers(target: str, paths: Sequence[str], scratch: Path) -> dict[str, int]:
    """Return the inode number of each path that is there.

    target: a file system, as debugfs takes it. paths: absolute. scratch: a folder for copies of
    what the folders on the way hold, read level by level. Nothing is run for no paths.
    """
    if not paths:
        return {}
    wanted = {str(each) for path in paths for each in (PurePosixPath(path),
                                                       *PurePosixPath(path).parents)}
    levels: dict[int, list[str]] = {}
    for path in sorted(wanted - {"/"}):
        levels.setdefault(path.count("/"), []).append(path)
    known = {"/": _ROOT}
    for _, level in sorted(levels.items()):
        held = _contents(target, {known[above] for above in map(_above, level) if above in known},
                         scratch)
        for path in level:
            number = held.get(known.get(_above(path), 0), {}).get(os.fsencode(_name(path)))
            if number is not None:
                known[path] = number
    return {path: known[path] for path in paths if path in known}


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _contents(target: str, folders: set[int], scratch: Path) -> dict[int, dict[bytes, int]]:
    """Return what each folder, by its inode number, holds: inode numbers by name."""
    copies = {number: scratch / f"folder-{number}" for number in folders}
    commands = "".join(f'dump <{number}> "{copy}"\n' for number, copy in sorted(copies.items()))
    run(["debugfs", "-f", "-", target], stdin=commands)
    held = {}
    for number, copy in copies.items():
        if copy.is_file():  # not so for what is no folder
            held[number] = dict(_names(copy.read_bytes()))
            copy.unlink()
    return held


def _names(blocks: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield each name in a folder's blocks, and its inode number; 0 marks an unused entry."""
    at = 0
    while at + _NAME_AT <= len(blocks):
        number, length, name_length = _ENTRY.unpack_from(blocks, at)
        if number:
            yield blocks[at + _NAME_AT:at + _NAME_AT + name_length], number
        at += max(length, _NAME_AT)
