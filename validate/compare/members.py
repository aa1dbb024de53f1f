"""Archives compared member by member, archives inside archives included."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from host.errors import InputError
from validate import tars
from validate.compare.traits import Traits, differences
from validate.compare.unpacking import HEAD_BYTES, archive_kind, opened
from validate.streams import Budget

_DEPTH_MAX = 3
_PIECE_BYTES = 1 << 20
_KINDS = {
    tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "twin", tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device", tarfile.FIFOTYPE: "pipe", tarfile.GNUTYPE_SPARSE: "file",
}


@dataclass(frozen=True)
class Member:
    """A member as it is compared; inner: a copy of one that is an archive itself."""

    entry: Traits
    position: int
    inner: Path | None


def compare_archives(one: Path, other: Path, scratch: Path, depth: int = 0) -> list[str] | None:
    """Return a line for each member that differs; None: these are no tar archives.

    A line names the member; of an archive inside, such as a layer of an OCI image, also the
    members in it that differ. scratch: an empty folder for unpacked copies.
    """
    folders = scratch / "one", scratch / "other"
    for folder in folders:
        folder.mkdir()
    before, after = _members(one, folders[0], depth), _members(other, folders[1], depth)
    if before is None or after is None:
        return None
    before, after = _paired(before, after)
    lines = differences({name: member.entry for name, member in before.items()},
                        {name: member.entry for name, member in after.items()})
    for number, name in enumerate(sorted(before.keys() & after.keys())):
        left, right = before[name], after[name]
        if left.inner and right.inner and left.entry.content != right.entry.content:
            inside = scratch / f"inside-{number}"
            inside.mkdir()
            found = compare_archives(left.inner, right.inner, inside, depth + 1)
            lines += [f"{name} → {line}" for line in found or []]
    order = [name for name in before if name in after], [name for name in after if name in before]
    if not lines and order[0] != order[1]:
        lines.append("the members are in another order")
    return lines


def _paired(
    one: Mapping[str, Member], other: Mapping[str, Member],
) -> tuple[dict[str, Member], dict[str, Member]]:
    """Give members that are named by their content, as OCI's are, names that can be compared.

    Those that only one side has are paired by their places, if there are as many on both sides.
    """
    left = [name for name in one if name not in other]
    right = [name for name in other if name not in one]
    if len(left) != len(right):
        return dict(one), dict(other)
    names = {b: f"{a} | {b}" for a, b in zip(left, right, strict=True)}
    renamed = dict(zip(left, names.values(), strict=True))
    return ({renamed.get(name, name): member for name, member in one.items()},
            {names.get(name, name): member for name, member in other.items()})


def _members(path: Path, scratch: Path, depth: int) -> dict[str, Member] | None:
    """Return the members of a tar archive by name, in their order; None: it is none."""
    found: dict[str, Member] = {}
    times: dict[str, int] = {}  # tar allows one name several times
    try:
        with opened(path) as stream:
            if stream is None:
                return None
            archive = tars.Archive(stream, Budget())
            for position, info in enumerate(archive):
                stored = archive.content(info)
                copy = scratch / str(position)
                digest = _digest(stored, copy, depth) if stored else ""
                number = times[info.name] = times.get(info.name, 0) + 1
                found[info.name if number == 1 else f"{info.name} ({number})"] = Member(
                    _entry(info, digest), position, copy if copy.exists() else None)
    except InputError as error:
        error.where = error.where or str(path)
        raise
    except tars.BROKEN as error:
        if not found and not isinstance(error, tarfile.HeaderError):
            return None  # something compressed that is no archive
        raise InputError("the archive can't be read", where=str(path), why=str(error)) from error
    return found


def _digest(stream: IO[bytes], copy: Path, depth: int) -> str:
    """Return the digest of a member's content; an archive is copied, to be looked into."""
    digest, head = hashlib.sha256(), stream.read(_PIECE_BYTES)
    digest.update(head)
    keep = copy.open("wb") if depth < _DEPTH_MAX and archive_kind(head[:HEAD_BYTES]) else None
    try:
        piece = head
        while piece:
            if keep:
                keep.write(piece)
            piece = stream.read(_PIECE_BYTES)
            digest.update(piece)
    finally:
        if keep:
            keep.close()
    return digest.hexdigest()


def _entry(info: tarfile.TarInfo, digest: str) -> Traits:
    device = f"{info.devmajor}:{info.devminor}" if info.isdev() and not info.isfifo() else ""
    more = {name: value for name, value in info.pax_headers.items()
            if name not in ("path", "linkpath", "size", "mtime", "uid", "gid")}
    names = {"uname": info.uname, "gname": info.gname}
    return Traits(
        kind=_KINDS.get(info.type, repr(info.type)), mode=f"{info.mode:04o}",
        owner=f"{info.uid}:{info.gid}", size=info.size, mtime=f"{info.mtime}",
        content=digest or info.linkname or device, attributes={**names, **more},
    )
