"""The content of a mounted image's files: read at its place on the disk, else in the appliance."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from functools import cached_property

from host.appliance import GuestFS
from host.errors import InputError
from validate import extents, xattrs
from validate.blocks import ReadAt
from validate.disk import DiskFacts
from validate.extents import Lying
from validate.listing import Listing

List = Callable[[GuestFS, str], bytes]
ReadFile = Callable[[str, int], bytes]


class Content:
    """Reads files of an image.

    listing: runs shell commands in the appliance (validate.reader.listing). slowly: reads a file
    through libguestfs. read: reads the disk in the artefact.
    """

    def __init__(
        self, g: GuestFS, disk: DiskFacts, tree: Listing, read: ReadAt, listing: List,
        slowly: ReadFile,
    ) -> None:
        self._g, self._disk, self._tree = g, disk, tree
        self.disk = read
        self._listing, self._slowly = listing, slowly

    @cached_property
    def _lying(self) -> dict[str, Lying]:
        """Where files lie, of each file system that is on a plain partition."""
        found: dict[str, Lying] = {}
        starts = {one.device: one.start_bytes for one in self._disk.partitions}
        for point, one in self._disk.mounted.items():
            if one.type not in extents.PLAIN or one.kinds or one.device not in starts:
                continue
            folder = shlex.quote(f".{point}" if point != "/" else ".")
            said = self._listing(
                self._g, extents.COMMAND.format(folder=folder)).decode(errors="replace")
            found |= extents.parse(said, "/", starts[one.device])
        return found

    def read(self, path: str, count: int) -> bytes:
        """Return the first bytes of a regular file."""
        lying = self._known(path)
        if lying is None:
            return self._slowly(path, count)
        return b"".join(extents.pieces(lying, self.disk, count))

    def sha256(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the digests of regular files; of those that are nowhere else, by the appliance."""
        found, left = {}, []
        for path in paths:
            if (lying := self._known(path)) is not None:
                found[path] = extents.sha256(lying, self.disk)
            elif not any(ord(letter) < 32 or letter == "\\" for letter in path):
                left.append(path)
        if left:
            found |= self._hashed_there(left)
        return found

    def _hashed_there(self, paths: list[str]) -> dict[str, str]:
        found = {}
        for first in range(0, len(paths), 200):
            words = " ".join(shlex.quote(f".{path}") for path in paths[first:first + 200])
            said = self._listing(self._g, f"sha256sum -- {words}").decode(errors="replace")
            for line in said.splitlines():
                digest, _, name = line.partition("  ")
                found[name.removeprefix(".")] = digest
        return found

    def xattrs(self) -> dict[str, dict[str, bytes]]:
        """Return the extended attributes of each file that has any, labels apart."""
        return xattrs.parse(self._listing(self._g, xattrs.COMMAND).decode(errors="replace"))

    def _known(self, path: str) -> Lying | None:
        """Return where a file lies if that is known and agrees with its length."""
        entry, lying = self._tree.get(path), self._lying.get(path)
        if entry is None or not entry.is_file:
            raise InputError(f"{path} is not a regular file")
        if entry.size_bytes == 0:
            return Lying(0, ())
        return lying if lying is not None and lying.size_bytes == entry.size_bytes else None
