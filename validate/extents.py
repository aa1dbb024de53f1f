"""Where the files of an image lie on its disk, so that they are read here, at this host's speed.

The appliance's kernel has the file system mounted and says where each file lies (FIEMAP, by
filefrag(8)); the bytes are then read from the artefact itself. A file of which it is not said
plainly (inline, encoded, in another file system than a plain partition's) is read in the appliance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from host.patterns import pattern
from validate.blocks import ReadAt

COMMAND = (
    "find {folder} -xdev -type f ! -path '*[[:cntrl:]]*' -size +0 -print0 "
    "| xargs -0 -r filefrag -v 2>/dev/null; true"
)
"""Lists the extents of all files of one file system; its output is `parse`'s input."""

PLAIN = ("xfs", "ext4", "ext3", "ext2")
"""File systems whose extents are places on the partition below."""

_FILE = r"^File size of (.*) is (\d+) \(\d+ blocks? of (\d+) bytes\)$"
_EXTENT = r"^\s*\d+:\s+(\d+)\.\.\s*\d+:\s+(\d+)\.\.\s*\d+:\s+(\d+):(?:\s+\d+:)?\s*(\S*)$"
_UNWRITTEN = "unwritten"
_HARMLESS = {"", "last", "eof", "shared", "merged", _UNWRITTEN}
_PART_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Extent:
    """A piece of a file: from which byte of it, where on the disk, how long; zeros: not written."""

    start: int
    at: int
    size: int
    zeros: bool


@dataclass(frozen=True)
class Lying:
    """Where a file lies."""

    size_bytes: int
    extents: tuple[Extent, ...]


def parse(text: str, above: str, start_bytes: int) -> dict[str, Lying]:
    """Return what `COMMAND` printed, by paths from the image's root.

    above: the folder where the file system is mounted ("/", "/boot"). start_bytes: of its
    partition. A file of which anything odd is said is left out.
    """
    found: dict[str, Lying] = {}
    path, size, block, extents, plain = "", 0, 0, list[Extent](), False

    def close() -> None:
        if path and plain:
            found[path] = Lying(size, tuple(extents))

    file, extent = pattern(_FILE), pattern(_EXTENT)
    for line in text.split("\n"):
        if match := file.fullmatch(line):
            close()
            name = match[1].removeprefix("./").lstrip("/")
            path = f"{above.rstrip('/')}/{name}"
            size, block, extents, plain = int(match[2]), int(match[3]), [], True
        elif plain and (match := extent.fullmatch(line)):
            flags = set(match[4].split(","))
            if flags - _HARMLESS:
                plain = False
            extents.append(Extent(
                int(match[1]) * block, start_bytes + int(match[2]) * block,
                int(match[3]) * block, _UNWRITTEN in flags))
    close()
    return found


def pieces(lying: Lying, read: ReadAt, count: int) -> Iterator[bytes]:
    """Yield the first `count` bytes of a file; what lies nowhere is zeros, as for the kernel."""
    end, at = min(count, lying.size_bytes), 0
    for one in sorted(lying.extents, key=lambda extent: extent.start):
        if at >= end:
            return
        if one.start > at:
            yield from _zeros(min(one.start, end) - at)
            at = min(one.start, end)
        skip = at - one.start
        left = min(one.size - skip, end - at)
        while left > 0:
            part = min(left, _PART_BYTES)
            yield bytes(part) if one.zeros else read(one.at + skip, part).ljust(part, b"\0")
            at, skip, left = at + part, skip + part, left - part
    yield from _zeros(end - at)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, _PART_BYTES))
        count -= _PART_BYTES


def sha256(lying: Lying, read: ReadAt) -> str:
    """Return the digest of a file's content."""
    digest = hashlib.sha256()
    for piece in pieces(lying, read, lying.size_bytes):
        digest.update(piece)
    return digest.hexdigest()
