"""What a result is made of, file by file, and whether it still is.

Beside a result lie `manifest.json`, whose digest is in its record, and `stamps`. The manifest tells
of each file, folder and link what an image is made of: type, mode, owner, links, device, size and
time, where a link leads, extended attributes, and SHA-256 of the content in pieces. The stamps are
the kernel's own times of change (ctime): no program can set them, so one that is as it was tells
that nothing was written since, and only what a disk does by itself is left to find. They are this
file system's; where a store was copied they all differ, and then the content decides.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from builder.store.pieces import PIECE_BYTES, digest_of, piece_at, pieces
from builder.store.result import FILES, IMAGE, SUMS
from host.beneath.root import Root
from host.beneath.walk import Found
from host.errors import CcisError

MANIFEST, STAMPS = "manifest.json", "stamps"
SAMPLE_BYTES = 8 << 20
"""How much of a result's content is read each time that it is used."""

_SAMPLE_FILES = 64
_LIMIT_BYTES = 1 << 30
# An upper file of overlayfs with this one has its content in a layer below.
_METADATA_ONLY = "trusted.overlay.metacopy"

Row = list[Any]
"""Of one file: its path and what stat(2) says; then what only reading it tells.

[path, mode, owner, group, links, device, size, time], [link's target, attributes, digests]
"""


@dataclass(frozen=True)
class Written:
    """A manifest that was written.

    digest: of its text. size_bytes: what the result takes on disk, with its manifest.
    """

    digest: str
    size_bytes: int


@dataclass
class _Pass:
    """One reading of a result. known: of inodes with several names, their digests."""

    known: dict[int, list[str]] = field(default_factory=dict)

    @cached_property
    def buffer(self) -> memoryview:
        """Where pieces are read to."""
        return memoryview(bytearray(PIECE_BYTES))


def write(folder: Path, data: Path) -> Written:
    """Write manifest and stamps of `data` into `folder`. Raises OSError."""
    sums, reading = _sums(data), _Pass()
    rows, stamps = [], array("q")
    seen, size_bytes = set(), 0
    for found in Root(data).walk():
        stamps.append(_stamp(found))
        rows.append([_seen(found), _read(found, reading, sums)])
        if found.status.st_ino not in seen:
            seen.add(found.status.st_ino)
            size_bytes += found.status.st_blocks * 512
    text = json.dumps(rows, separators=(",", ":")).encode("ascii")
    size_bytes += len(text) + len(stamps) * stamps.itemsize
    (folder / STAMPS).write_bytes(stamps.tobytes())
    (folder / MANIFEST).write_bytes(text)
    return Written(hashlib.sha256(text).hexdigest(), size_bytes)


def flaw(
    folder: Path, data: Path, digest: str, *, whole: bool = False,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> str | None:
    """Return what is wrong with a result, None when it is as it was put.

    Always looked at: that everything is there and nothing else, what stat(2) says of it, and the
    content of what was written to since. Beyond that, files on top of the result are read, and so
    much of the others, drawn at random, as SAMPLE_BYTES allows; whole: all.
    digest: of the manifest's text. on_bytes: is told how much was read, from time to time.
    """
    try:
        rows = _rows(folder, digest)
        if rows is None:
            return "its manifest is damaged"
        return _flaw(folder, data, rows, whole=whole, on_bytes=on_bytes)
    except (OSError, CcisError) as error:
        return f"it can't be read: {error}"


def _flaw(
    folder: Path, data: Path, rows: list[Row], *, whole: bool, on_bytes: Callable[[int], None],
) -> str | None:
    stamps, now, reading = _stamps(folder, len(rows)), array("q"), _Pass()
    sums = _sums(data)
    expected, paths = iter(rows), {row[0][0] for row in rows}
    for number, found in enumerate(Root(data).walk()):
        row = next(expected, None)
        if row is None or row[0] != _seen(found):
            return _difference(found, row, paths)
        now.append(_stamp(found))
        is_old = stamps is not None and stamps[number] == now[number]
        if (whole or not is_old or _is_on_top(found)) and not _is_same(found, row, reading, sums,
                                                                       whole=whole):
            return f"{found.path} has another content than it had"
        if whole:
            on_bytes(found.status.st_blocks * 512)
    if (row := next(expected, None)) is not None:
        return f"{row[0][0]} is missing"
    if not whole and (odd := _sampled(data, rows, reading)):
        return f"{odd} has another content than it had"
    if stamps != now:
        _keep_stamps(folder, now)
    return None


def _difference(found: Found, row: Row | None, paths: set[str]) -> str:
    """Say how what is there differs from what was."""
    if row is None or found.path not in paths:
        return f"{found.path} was added"
    if row[0][0] != found.path:
        return f"{row[0][0]} is missing"
    names = ("path", "mode", "owner", "group", "number of links", "device", "size", "time")
    name, was, is_now = next((name, one, other) for name, one, other
                             in zip(names, row[0], _seen(found), strict=True) if one != other)
    as_text = oct if name == "mode" else str
    return f"{found.path} has the {name} {as_text(is_now)}, it had {as_text(was)}"


def _seen(found: Found) -> list[Any]:
    """Return what stat(2) tells of a file that an image is made of.

    What is handed out by a second name (artefacts, the disk) has its mode changed for that.
    """
    status = found.status
    links = device = size = owner = group = 0
    mode = stat.S_IFMT(status.st_mode)
    if not _is_handed_out(found.path):
        mode, owner, group = status.st_mode, status.st_uid, status.st_gid
        links = 0 if found.is_folder else status.st_nlink
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        device = status.st_rdev
    if found.is_file:
        size = status.st_size
    return [found.path, mode, owner, group, links, device, size, status.st_mtime_ns]


def _read(found: Found, reading: _Pass, sums: dict[str, str]) -> list[Any]:
    """Return what reading a file tells; an artefact's sum is known already."""
    attributes: dict[str, str] = {}
    if not _is_handed_out(found.path):
        attributes = {name: value.hex() for name, value in found.attributes().items()}
    if found.is_link:
        return [os.readlink(found.name, dir_fd=found.folder), attributes, []]
    if not found.is_file or _METADATA_ONLY in attributes:
        return ["", attributes, []]
    if found.path in sums:
        return ["", attributes, sums[found.path]]
    inode = found.status.st_ino
    digests = reading.known.get(inode)
    if digests is None:
        digests = _digests_of(found, reading)
        if found.status.st_nlink > 1:
            reading.known[inode] = digests
    return ["", attributes, digests]


def _is_same(
    found: Found, row: Row, reading: _Pass, sums: dict[str, str], *, whole: bool,
) -> bool:
    """Say whether reading a file tells what it told; an artefact is read for `whole` only."""
    if not isinstance(row[1][2], str):
        return bool(_read(found, reading, {}) == row[1])
    if not whole:
        return bool(sums.get(found.path) == row[1][2])
    digest = hashlib.sha256()
    with _opened(found) as descriptor:
        for _, piece in pieces(descriptor, found.status.st_size, reading.buffer):
            digest.update(piece)
    return bool(digest.hexdigest() == row[1][2])


def _digests_of(found: Found, reading: _Pass) -> list[str]:
    with _opened(found) as descriptor:
        return [digest_of(piece) for _, piece in
                pieces(descriptor, found.status.st_size, reading.buffer)]


def _sampled(data: Path, rows: list[Row], reading: _Pass) -> str | None:
    """Read some pieces, other ones each time; return the path of one that is not as it was."""
    found = [(row[0][0], row[0][6], number, digest) for row in rows
              if isinstance(row[1][2], list) for number, digest in enumerate(row[1][2])]
    left_bytes, root = SAMPLE_BYTES, Root(data)
    for path, size_bytes, number, digest in random.sample(
            found, min(_SAMPLE_FILES, len(found))):
        start = number * PIECE_BYTES
        length = min(PIECE_BYTES, size_bytes - start)
        if length > left_bytes:
            continue
        left_bytes -= length
        with root.open(path) as stream:
            piece = piece_at(stream.fileno(), start, length, reading.buffer)
        if digest_of(piece) != digest:
            return str(path)
    return None


@contextmanager
def _opened(found: Found) -> Iterator[int]:
    descriptor = os.open(found.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                         dir_fd=found.folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_handed_out(path: str) -> bool:
    """Say whether a file gets further names outside of the store."""
    return path == f"/{IMAGE}" or path.startswith(f"/{FILES}/")


def _is_on_top(found: Found) -> bool:
    """Say whether a file is one of the few that tell about a result: notes, sums, tables."""
    return found.is_file and found.path.count("/") == 1 and not _is_handed_out(found.path)


def _stamp(found: Found) -> int:
    return 0 if _is_handed_out(found.path) else found.status.st_ctime_ns


def _rows(folder: Path, digest: str) -> list[Row] | None:
    text = Root(folder).read(f"/{MANIFEST}", _LIMIT_BYTES)
    if hashlib.sha256(text).hexdigest() != digest:
        return None
    rows: list[Row] = json.loads(text)
    return rows


def _stamps(folder: Path, number: int) -> array[int] | None:
    """Return the stamps of a result, None if there are none to rely on."""
    found = array("q")
    with suppress(OSError, CcisError, ValueError):
        found.frombytes(Root(folder).read(f"/{STAMPS}", _LIMIT_BYTES))
        return found if len(found) == number else None
    return None


def _keep_stamps(folder: Path, stamps: array[int]) -> None:
    """Keep the stamps of what was found to be as it was: a store that was copied has others."""
    with suppress(OSError, CcisError):
        Root(folder).write(f"/{STAMPS}", stamps.tobytes())


def _sums(data: Path) -> dict[str, str]:
    """Return the SHA-256 of a format's files by their paths; nothing when it is no format."""
    with suppress(OSError, CcisError, ValueError, TypeError, AttributeError):
        sums = json.loads(Root(data).read(f"/{SUMS}"))
        return {f"/{FILES}/{name}": str(digest) for name, digest in sums.items()}
    return {}
