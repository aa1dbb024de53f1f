"""A root tree in a tar archive, read as a stream: nothing of it is unpacked on this host.

One pass keeps names and attributes of all members, a digest of each file's content, and the content
of what rules read: settings, databases, programs. Layers of containers come one over the other, by
the whiteout rules of OCI (image-spec, layer.md). Bounds are on what the stream unpacks to, its
members, and what is kept.
"""

from __future__ import annotations

import hashlib
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from host.errors import InputError
from validate import tars
from validate.listing import Listing, Node
from validate.streams import Budget

KEPT_BYTES_MAX = 1 << 30
"""What may be kept of an archive in memory: texts, databases and programs."""
_NAMES_BYTES_MAX = 256 << 20
"""Of all names, folders that are only implied, and attributes; our largest tree has 6 MiB."""
_FAULTS_MAX = 200
_SMALL_BYTES = 1 << 20
_DATABASE_BYTES_MAX = 256 << 20
_DATABASES = ("/var/lib/rpm/", "/usr/lib/sysimage/rpm/", "/root/.rpmdb/", "/usr/share/rpm/")
_WHOLE_BELOW = ("/usr/bin/", "/usr/sbin/", "/usr/lib64/", "/usr/libexec/", "/usr/lib/systemd/",
                "/etc/")
_WHOLE_BYTES_MAX = 64 << 20
_PART_BYTES = 1 << 20
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_XATTR = ("SCHILY.xattr.", "LIBARCHIVE.xattr.")
_LABEL = "security.selinux"


class Archive:
    """The tree of one archive, or of several layers.

    budget: what they may unpack to, all together.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.entries: dict[str, Node] = {}
        self.contents: dict[str, bytes] = {}
        self.digests: dict[str, str] = {}
        self.xattrs: dict[str, dict[str, bytes]] = {}
        self.faults: list[str] = []
        self._kept_bytes = self._names_bytes = 0
        self._below: dict[str, set[str]] = {}

    def tree(self) -> Listing:
        """All names; folders that are only implied are root's."""
        found = dict(self.entries)
        for path in ("/", *self._below):
            found.setdefault(path, Node(path, stat.S_IFDIR | 0o755))
        return Listing(found.values())

    def fault(self, text: str) -> None:
        """Note what is wrong; of the like, so many are enough."""
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(text)

    def read(self, path: str, count: int) -> bytes:
        """Return the first bytes of a file; raises InputError for one that was not kept."""
        if path in self.contents:
            return self.contents[path][:count]
        raise InputError(f"{path} is too large to be read from an archive")

    def sha256(self, paths: object) -> dict[str, str]:
        """Return the digests of regular files."""
        wanted = cast("Iterator[str]", paths)
        return {path: self.digests[path] for path in wanted if path in self.digests}

    def add_layer(self, stream: BinaryIO, below: str = "") -> None:
        """Lay an archive over what is there. below: the folder in it that is the root.

        Raises InputError for what is no archive, or is beyond bounds.
        """
        names: set[str] = set()
        archive = tars.Archive(stream, self.budget)
        try:
            for member in archive:
                self._member(archive, member, names, below)
        except (*tars.BROKEN, OSError) as error:
            raise InputError("is no whole tar archive", why=str(error)[:200]) from error
        for text in archive.faults:
            self.fault(text)

    def _member(
        self, archive: tars.Archive, member: tarfile.TarInfo, names: set[str], below: str,
    ) -> None:
        path = self._path(member.name, below)
        if path is None:
            return
        if path in names and not (member.isdir() and self._is_folder(path)):
            self.fault(f"{member.name} is in it twice")
        names.add(path)
        name = posixpath.basename(path)
        if name.startswith(_WHITEOUT):
            folder = posixpath.dirname(path).rstrip("/")
            target = folder if name == _OPAQUE else f"{folder}/{name.removeprefix(_WHITEOUT)}"
            self._drop(target or "/", itself=name != _OPAQUE, spared=names)
            return
        if not (member.isdir() and (path not in self.entries or self._is_folder(path))):
            self._drop(path, itself=True, spared=set())
        self._placed(path, member.name)
        if member.islnk():
            self._hard_link(path, member, below)
            return
        entry = _entry(path, member)
        self.entries[path] = entry
        attributes = {
            key.removeprefix(prefix): value.encode("utf-8", "surrogateescape")
            for key, value in member.pax_headers.items() for prefix in _XATTR
            if key.startswith(prefix) and not key.endswith(_LABEL)}
        self._count(sum(len(key) + len(value) for key, value in attributes.items())
                    + len(member.linkname) + len(entry.label))
        if attributes:
            self.xattrs[path] = attributes
        content = archive.content(member)
        if content is not None:
            self._content(path, member.size, content)

    def _placed(self, path: str, name: str) -> None:
        """Note that a path is below its folders; what unpacks it follows a link, and we don't."""
        while path != "/":
            above = posixpath.dirname(path)
            known = self.entries.get(above)
            if known is not None and not known.is_folder:
                self.fault(f"{name} is below {above}, which is no folder")
            beside = self._below.get(above)
            if beside is None:
                beside = self._below[above] = set()
                self._count(len(above))
            if path in beside:
                return
            beside.add(path)
            self._count(len(path))
            path = above

    def _is_folder(self, path: str) -> bool:
        return path in self.entries and self.entries[path].is_folder

    def _count(self, count: int) -> None:
        self._names_bytes += count
        if self._names_bytes > _NAMES_BYTES_MAX:
            raise InputError("holds more names and attributes than any tree would")

    def _path(self, name: str, below: str) -> str | None:
        """Return a member's path in the tree, None for what is not in it."""
        if name.startswith("/"):
            self.fault(f"{name} is an absolute name")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            self.fault(f"{name} leads out of the tree")
            return None
        path = "/" + "/".join(parts)
        if below:
            if path != below and not path.startswith(f"{below}/"):
                return None
            path = path[len(below):] or "/"
        return path

    def _hard_link(self, path: str, member: tarfile.TarInfo, below: str) -> None:
        target = self._path(member.linkname, below)
        if target is None or target not in self.entries:
            self.fault(f"{member.name} is a link to {member.linkname}, which is not in it")
            return
        other = self.entries[target]
        self.entries[path] = Node(path, other.mode, other.uid, other.gid, other.size_bytes,
                                   other.target, other.label, other.mtime_s)
        if target in self.contents:
            self.contents[path] = self.contents[target]
        if target in self.digests:
            self.digests[path] = self.digests[target]
        if target in self.xattrs:
            self.xattrs[path] = self.xattrs[target]

    def _drop(self, path: str, *, itself: bool, spared: set[str]) -> None:
        """Take out what is below a path, and the path itself; not what this layer brought."""
        found = [path] if itself else [*self._below.get(path, ())]
        for one in found:  # it grows
            found += self._below.get(one, ())
        for one in reversed(found):
            if one in spared:
                continue
            for table in (self.entries, self.contents, self.digests, self.xattrs):
                cast("dict[str, object]", table).pop(one, None)
            if not self._below.get(one):
                self._below.pop(one, None)
                self._below.get(posixpath.dirname(one), set()).discard(one)

    def _content(self, path: str, size_bytes: int, stream: IO[bytes]) -> None:
        digest = hashlib.sha256()
        keep = _is_kept(path, size_bytes)
        pieces: list[bytes] = []
        while piece := stream.read(_PART_BYTES):
            digest.update(piece)
            if keep:
                pieces.append(piece)
        self.digests[path] = digest.hexdigest()
        if keep:
            self.contents[path] = b"".join(pieces)
            self._kept_bytes += len(self.contents[path])
            if self._kept_bytes > KEPT_BYTES_MAX:
                raise InputError("holds more in settings and programs than any tree would")


def _is_kept(path: str, size_bytes: int) -> bool:
    if path.startswith(_DATABASES):
        return size_bytes <= _DATABASE_BYTES_MAX
    if path.startswith(_WHOLE_BELOW):
        return size_bytes <= _WHOLE_BYTES_MAX
    return size_bytes <= _SMALL_BYTES


def _entry(path: str, member: tarfile.TarInfo) -> Node:
    kinds = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK,
             tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK,
             tarfile.FIFOTYPE: stat.S_IFIFO}
    kind = kinds.get(member.type, stat.S_IFREG)
    label = next((member.pax_headers[prefix + _LABEL].rstrip("\0") for prefix in _XATTR
                  if prefix + _LABEL in member.pax_headers), "")
    return Node(path, kind | stat.S_IMODE(member.mode), member.uid, member.gid,
                 member.size if kind == stat.S_IFREG else 0, member.linkname, label,
                 int(member.mtime))
