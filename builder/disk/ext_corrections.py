"""What mke2fs -d leaves to chance or gets wrong, as commands for debugfs(8)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def corrections(view: Path, scratch: Path) -> Iterator[bytes]:
    """Yield debugfs's commands for a file system that was filled from `view`.

    mke2fs gives the root folder its attributes, but not its owner, mode and times. It copies every
    file's times of access and change, which tell of the build, not of the image. It writes a
    file's extended attributes in the order in which the build host's file system lists them,
    which is another on tmpfs than on ext4. And it counts what it has written, which depends on
    the holes of the files that it reads; libext2fs counts no further from 0 (ext2fs_close2).

    scratch: an empty folder, for values of attributes; it is needed until debugfs has ended.
    """
    yield from _root(view)
    values = _Values(scratch)
    yield from _attributes(view, b'"/"', values)
    for folder, folders, files in os.walk(view):
        for name in (*folders, *files):
            place = f"{folder}/{name}"
            inside = _quoted(place.removeprefix(str(view)))
            if b"\n" in inside:  # debugfs reads lines
                continue
            yield from _attributes(place, inside, values)
            stamp = int(os.lstat(place).st_mtime)
            if stamp >= 0:
                yield b"sif %s atime @%d\nsif %s ctime @%d\n" % (inside, stamp, inside, stamp)
    yield b"ssv kbytes_written 0\n"


def _root(view: Path) -> Iterator[bytes]:
    status = view.stat()
    fields = {
        "mode": f"0{status.st_mode:o}", "uid": status.st_uid & 0xFFFF,
        "uid_high": status.st_uid >> 16, "gid": status.st_gid & 0xFFFF,
        "gid_high": status.st_gid >> 16, "mtime": f"@{int(status.st_mtime)}",
    }
    for field, value in fields.items():
        yield f"set_inode_field <2> {field} {value}\n".encode()


class _Values:
    """The files that debugfs reads values from, one for each different value."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[bytes, bytes] = {}

    def file(self, value: bytes) -> bytes:
        """Return the quoted name of a file that holds a value."""
        if value not in self._files:
            path = self._folder / str(len(self._files))
            path.write_bytes(value)
            self._files[value] = _quoted(str(path))
        return self._files[value]


def _attributes(place: str | Path, inside: bytes, values: _Values) -> Iterator[bytes]:
    """Yield commands that write several attributes anew, in the order of their names."""
    names = sorted(os.listxattr(place, follow_symlinks=False))
    if len(names) < 2:
        return
    for name in names:
        yield b"ea_rm %s %s\n" % (inside, _quoted(name))
    for name in names:
        value = os.getxattr(place, name, follow_symlinks=False)
        yield b"ea_set -f %s %s %s\n" % (values.file(value), inside, _quoted(name))


def _quoted(text: str) -> bytes:
    """Return a word as debugfs's command lines take it (libss, lib/ss/parse.c)."""
    return b'"' + os.fsencode(text).replace(b'"', b'""') + b'"'
