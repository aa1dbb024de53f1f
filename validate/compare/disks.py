"""Two disk images compared: table, boot sectors, every partition's bytes, every file's attributes.

Both are read through libguestfs, each in an appliance of its own, as the validator does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from host.appliance import GuestFS
from host.errors import InputError
from host.patterns import pattern
from validate.artefact import inspect
from validate.compare.pieces import first_difference
from validate.compare.traits import Traits, differences
from validate.disk import DiskFacts, Partition
from validate.key import Key
from validate.reader import listing, mounted_image

_KINDS = {"f": "file", "d": "folder", "l": "link", "c": "character device", "b": "block device",
          "p": "pipe", "s": "socket"}
# find(1): type, mode, owners, size, time of change with its fraction, device and inode, path,
# link's target; NUL between them, because nothing else can't be in a name.
_FIND = r"find . -printf '%y\0%m\0%U:%G\0%s\0%T@\0%D:%i\0%P\0%l\0'"
_FIND_FIELDS = 8
# BLAKE2 takes half of SHA-256's time where nothing but an emulator's processor computes it.
_SUMS = "find . -type f -print0 | xargs -0 -r b2sum -l 256 -z --"
_DEVICES = r"find . \( -type c -o -type b \) -exec stat --printf '%t:%T  %n\0' {} +"
# getfattr(1) writes odd characters of a name as \ooo; -h: of links themselves.
_ATTRIBUTES = "getfattr -R -P -h -d -m - -e hex ."
_OURS = ("system.posix_acl_", "security.", "user.", "trusted.")
_NOT_OURS = "trusted.SGI_ACL_"
"""How xfs stores the ACLs that are listed already."""

EXACT = ("ext2", "ext3", "ext4", "vfat", "swap", "")
"""What the direct engine writes byte for byte; xfs and btrfs are written by the kernel."""


@dataclass(frozen=True)
class Contents:
    """What is in an image: the disk around the files, and every file with its attributes."""

    disk: DiskFacts
    tree: Mapping[str, Traits]


@dataclass(frozen=True)
class DiskComparison:
    """What differs between two disks.

    bytes_in: for each part of the disk whose bytes differ, a line with the first offset.
    contents: lines for what a reader of the disks sees: table, file systems, files, attributes.
    inexact: the bytes differ only where they may: in file systems that the kernel wrote.
    """

    bytes_in: list[str]
    contents: list[str]
    inexact: bool

    @property
    def same_tree(self) -> bool:
        """Whether readers of the two disks see the same, attribute for attribute."""
        return not self.contents and self.inexact


def compare_disks(
    one: Path, other: Path, *, exact: bool, key: Key | None = None,
) -> DiskComparison:
    """Compare two raw disk images that are known to differ in some byte.

    exact: file systems of the kinds EXACT are expected to be equal in every byte.
    key: opens their LUKS containers. Raises InputError for what can't be read, HostError when
    the appliance does not start.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        before, after = pool.map(lambda path: contents(path, key), (one, other))
    lines = [*_around(before.disk, after.disk), *differences(before.tree, after.tree)]
    ranges = list(_ranges(before.disk))
    found = [(name, kinds, offset) for name, kinds, start, end in ranges
             if (offset := first_difference(one, other, start, end)) is not None]
    strict = [name for name, kinds, _ in found
              if name == _BETWEEN or (exact and set(kinds) <= set(EXACT))]
    return DiskComparison(
        [f"{name}: first difference at byte {offset}" for name, _, offset in found], lines,
        inexact=not strict,
    )


def contents(path: Path, key: Key | None = None) -> Contents:
    """Read all that there is to be compared in a disk image."""
    with mounted_image(inspect(path), key) as (g, disk):
        return Contents(disk, _tree(g))


def _tree(g: GuestFS) -> dict[str, Traits]:
    return parse_tree(listing(g, _FIND), listing(g, _SUMS), listing(g, _DEVICES),
                      listing(g, _ATTRIBUTES))


def parse_tree(found: bytes, sums: bytes, devices: bytes, attributes: bytes) -> dict[str, Traits]:
    """Return the entries that find, b2sum, stat and getfattr printed, by their paths.

    Raises InputError for a listing that is cut off.
    """
    fields = _text(found).split("\0")
    if fields.pop() or len(fields) % _FIND_FIELDS:
        raise InputError("the listing of the image's files is cut off")
    content = {**_by_path(sums), **_by_path(devices)}
    more = _attributes(attributes)
    rows = [fields[at:at + _FIND_FIELDS] for at in range(0, len(fields), _FIND_FIELDS)]
    twins: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: row[6]):
        twins.setdefault(row[5], row[6])
    return {
        f"/{path}": Traits(
            kind=_KINDS.get(kind, kind), mode=mode, owner=owner,
            # What a folder's size is depends on the order in which its names were written.
            size=0 if kind == "d" else int(size), mtime=mtime,
            content=content.get(path, target), twin=f"/{twins[inode]}",
            attributes=more.get(path, {}),
        )
        for kind, mode, owner, size, mtime, inode, path, target in rows
    }


def _by_path(printed: bytes) -> dict[str, str]:
    rows = (row.partition("  ") for row in _text(printed).split("\0") if row)
    return {path.removeprefix("./"): value for value, _, path in rows}


def _attributes(printed: bytes) -> dict[str, dict[str, str]]:
    """Return the extended attributes by path, as getfattr(1) prints them."""
    found: dict[str, dict[str, str]] = {}
    for paragraph in _text(printed).split("\n\n"):
        first, *lines = paragraph.strip("\n").split("\n")
        if not first.startswith("# file: "):
            continue
        path = _unescaped(first.removeprefix("# file: "))
        pairs = (line.partition("=") for line in lines)
        found["" if path == "." else path.removeprefix("./")] = {
            name: value for name, _, value in pairs
            if name.startswith(_OURS) and not name.startswith(_NOT_OURS)
        }
    return found


def _unescaped(path: str) -> str:
    """Return a path that getfattr(1) printed with odd bytes as \\ooo; one letter is one byte."""
    letters = path.encode(errors="surrogateescape").decode("latin-1")
    plain = pattern(r"\\([0-3][0-7]{2})").sub(lambda octal: chr(int(octal[1], 8)), letters)
    return _text(plain.encode("latin-1"))


def _text(printed: bytes) -> str:
    return printed.decode(errors="surrogateescape")


def _around(one: DiskFacts, other: DiskFacts) -> list[str]:
    """Return what differs around the files: table, kinds and names of file systems, boot code."""
    lines = []
    for what, same in (
        ("size of the disk", one.size_bytes == other.size_bytes),
        ("partition table", one.scheme == other.scheme),
        ("boot sector", one.boot_sector == other.boot_sector),
        ("boot area", one.boot_area == other.boot_area),
    ):
        if not same:
            lines.append(f"{what} differs")
    left, right = _parts(one), _parts(other)
    return lines + [f"{name} differs" for name in sorted(left.keys() | right.keys())
                    if left.get(name) != right.get(name)]


def _parts(disk: DiskFacts) -> dict[str, dict[str, object]]:
    return {
        **{f"partition {part.number}": asdict(part) for part in disk.partitions},
        **{f"file system on {each.device}": asdict(each) for each in disk.filesystems},
    }


_BETWEEN = "the partition table and what is between partitions"


def _ranges(disk: DiskFacts) -> Iterator[tuple[str, tuple[str, ...], int, int]]:
    """Yield all of the disk in pieces: name, kinds of file systems in it, start and end."""
    at = 0
    for part in sorted(disk.partitions, key=lambda part: part.start_bytes):
        if part.start_bytes > at:
            yield _BETWEEN, (), at, part.start_bytes
        if part.start_bytes >= at:  # else a logical one inside an extended
            yield (*_named(disk, part), part.start_bytes, part.start_bytes + part.size_bytes)
            at = part.start_bytes + part.size_bytes
    if at < disk.size_bytes:
        yield _BETWEEN, (), at, disk.size_bytes


def _named(disk: DiskFacts, part: Partition) -> tuple[str, tuple[str, ...]]:
    holds = [one for one in disk.filesystems if part.device in (one.device, *one.partitions)]
    points = [one.mountpoint for one in holds if one.mountpoint]
    kinds = tuple(kind for one in holds for kind in (*one.kinds, one.type))
    words = ", ".join([*points, *dict.fromkeys(kinds)]) or "no file system"
    return f"partition {part.number} ({words})", kinds
