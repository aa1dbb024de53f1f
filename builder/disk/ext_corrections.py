"""What mke2fs -d leaves to chance or gets wrong, as commands for debugfs(8)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.disk.ext_numbers import numbers
from builder.tree.marks import NO_MARKS, Marks
from host.beneath import walk
from host.beneath.root import Root
from host.errors import InputError
from host.run import run

LONGEST_PATH = 2000
"""mke2fs -d writes behind the end of its buffer where a path has exactly 2040 bytes (path_append()
of misc/create_inode.c, seen with 1.47.0), and debugfs reads commands of at most 8 KiB."""

_LARGE_BYTES = 1 << 20


@dataclass(frozen=True)
class Found:
    """Something in a tree. path: inside it, absolute. time_s: of its last change.

    attributes: the extended ones, when there are at least two, so that their order matters, and
    debugfs can be told their names. reserved_bytes: of a file all of whose blocks are there.
    """

    path: str
    time_s: int
    attributes: dict[str, bytes]
    reserved_bytes: int = 0


def entries(view: Path) -> list[Found]:
    """Return what is to be put right in a tree that mke2fs -d is about to copy.

    Raises InputError for what mke2fs or an ext file system can't hold.
    """
    found = []
    for each in Root(view).walk():
        if len(os.fsencode(each.path)) > LONGEST_PATH:
            raise InputError(
                "a path in the tree is too long for an ext file system", where=each.path[:200],
                why=f"it has more than {LONGEST_PATH} bytes",
                remedy="remove it in %post, or take --fstype=xfs")
        if each.path == "/lost+found" and not each.is_folder:
            raise InputError("/lost+found is no folder", where=each.path,
                             why="an ext file system has its own", remedy="remove it in %post")
        found.append(Found(each.path, int(each.status.st_mtime), _ordered(each.attributes()),
                           each.status.st_size if _is_reserved(each) else 0))
    return found


def correct(
    target: str, view: Path, found: Sequence[Found], scratch: Path, clock: dict[str, str],
    marks: Marks = NO_MARKS,
) -> None:
    """Put a file system right that was filled from `view`.

    mke2fs gives the root folder its attributes, but not its owner, mode and times. It copies every
    file's times of access and change, which tell of the build, not of the image. It writes a
    file's extended attributes in the order in which the build host's file system lists them,
    which is another on tmpfs than on ext4. And it counts what it has written, which depends on
    the holes of the files that it reads; libext2fs counts no further from 0 (ext2fs_close2). Blocks
    of zeroes become holes, as a swap file must not have any, and flags are not copied at all.

    target: the file system, as debugfs takes it. found: what entries() says of the view.
    scratch: an empty folder. clock: the variables that tell e2fsprogs the time. marks: files'
    flags, by path.
    """
    odd = numbers(target, [each.path for each in found if _is_odd(each.path)], scratch)
    places = {each.path: b"<%d>" % odd[each.path] if each.path in odd else _quoted(each.path)
              for each in found if each.path in odd or not _is_odd(each.path)}
    commands = b"".join((*_commands(view, found, odd, _Values(scratch)),
                         *_blocks(target, found, places), *_flags(target, marks, places)))
    run(["debugfs", "-w", "-f", "-", target], stdin=commands, env=clock)


def _commands(
    view: Path, found: Sequence[Found], odd: dict[str, int], values: _Values,
) -> Iterator[bytes]:
    with Root(view).folder() as top:
        yield from _root(os.fstat(top))
        own = {name: os.getxattr(top, name) for name in sorted(os.listxattr(top))}
    yield from _attributes(_ordered(own), b'"/"', values)
    for each in found:
        if _is_odd(each.path) and each.path not in odd:
            continue  # a socket, which mke2fs leaves out
        inside = b"<%d>" % odd[each.path] if each.path in odd else _quoted(each.path)
        yield from _attributes(each.attributes, inside, values)
        if each.time_s >= 0:
            yield b"sif %s atime @%d\nsif %s ctime @%d\n" % (
                inside, each.time_s, inside, each.time_s)
    yield b"ssv kbytes_written 0\n"


def _is_reserved(found: walk.Found) -> bool:
    """Say whether a large file has all of its blocks, be they zeroes: somebody may count on them.

    Of small ones nobody does, and programs have pages of zeroes.
    """
    return (found.is_file and found.status.st_size >= _LARGE_BYTES
            and found.status.st_blocks * 512 >= found.status.st_size)


def _blocks(target: str, found: Sequence[Found], places: dict[str, bytes]) -> Iterator[bytes]:
    """Yield commands that reserve the blocks of files that mke2fs gave holes; no others change."""
    wanted = [each for each in found if each.reserved_bytes and each.path in places]
    if not wanted:
        return
    said = run(["debugfs", "-R", "show_super_stats -h", target]).stdout
    size = re.search(r"^Block size: +(\d+)$", said, re.MULTILINE)
    assert size, "every ext file system has one"
    for each in wanted:
        last = (each.reserved_bytes - 1) // int(size[1])
        yield b"fallocate %s 0 %d\n" % (places[each.path], last)


def _flags(target: str, marks: Marks, places: dict[str, bytes]) -> Iterator[bytes]:
    """Yield commands that add flags to those that files have, of which some say how they lie."""
    for path, flags in marks.items():
        if path in places:
            said = run(["debugfs", "-f", "-", target], stdin=b"stat %s\n" % places[path]).stdout
            if there := re.search(r"^Inode: .* Flags: (0x[0-9a-f]+)$", said, re.MULTILINE):
                yield b"set_inode_field %s flags 0x%x\n" % (
                    places[path], int(there[1], 16) | flags)


def _is_odd(word: str) -> bool:
    """Say whether debugfs can't be given a word: what follows a line break is its next command.

    (It ends lines at a carriage return, too.) Anybody may name files and attributes so.
    """
    return "\n" in word or "\r" in word


def _ordered(attributes: dict[str, bytes]) -> dict[str, bytes]:
    if len(attributes) < 2 or any(map(_is_odd, attributes)):
        return {}
    return attributes


def _root(status: os.stat_result) -> Iterator[bytes]:
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


def _attributes(attributes: dict[str, bytes], inside: bytes, values: _Values) -> Iterator[bytes]:
    """Yield commands that write several attributes anew, in the order of their names."""
    for name in attributes:
        yield b"ea_rm %s %s\n" % (inside, _quoted(name))
    for name, value in attributes.items():
        yield b"ea_set -f %s %s %s\n" % (values.file(value), inside, _quoted(name))


def _quoted(text: str) -> bytes:
    """Return a word as debugfs's command lines take it (libss, lib/ss/parse.c)."""
    assert not _is_odd(text), "numbers() or _ordered() have taken these out"
    return b'"' + os.fsencode(text).replace(b'"', b'""') + b'"'
