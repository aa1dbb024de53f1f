"""A root tree in a tar archive, read as a stream: nothing of it is unpacked on this host.

One pass keeps names and attributes of all members, a digest of each file's content, and the content
of what rules read: settings, databases, programs. Layers of containers come one over the other, by
the whiteout rules of OCI (image-spec, layer.md). Bounds are on what the stream unpacks to, its
members, and what is kept.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

import zstandard

from host.errors import InputError
from validate.compare.unpacking import BROKEN, ModestInfo
from validate.tree import Entry, Tree

UNPACKED_BYTES_MAX = 64 << 30
MEMBERS_MAX = 1_000_000
KEPT_BYTES_MAX = 1 << 30
"""What may be kept of an archive in memory: texts, databases and programs."""
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
    """The tree of one archive, or of several layers."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.contents: dict[str, bytes] = {}
        self.digests: dict[str, str] = {}
        self.xattrs: dict[str, dict[str, bytes]] = {}
        self.faults: list[str] = []
        self._kept_bytes = 0

    def tree(self) -> Tree:
        """All names; folders that are only implied are root's."""
        found = dict(self.entries)
        found.setdefault("/", Entry("/", stat.S_IFDIR | 0o755))
        for path in list(found):
            above = posixpath.dirname(path)
            while above not in found:
                found[above] = Entry(above, stat.S_IFDIR | 0o755)
                above = posixpath.dirname(above)
        return Tree(found.values())

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
        try:
            with tarfile.open(fileobj=stream, mode="r|", errorlevel=1,
                              tarinfo=ModestInfo) as archive:
                for member in archive:
                    if len(self.entries) > MEMBERS_MAX:
                        raise InputError(f"holds more than {MEMBERS_MAX} files")
                    self._member(archive, member, names, below)
            while stream.read(_PART_BYTES):
                pass  # what is cut off behind the last member is cut off all the same
        except (*BROKEN, OSError) as error:
            raise InputError("is no whole tar archive", why=str(error)[:200]) from error

    def _member(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, names: set[str], below: str,
    ) -> None:
        path = self._path(member.name, below)
        if path is None:
            return
        if path in names and not member.isdir():
            self.faults.append(f"{member.name} is in it twice")
        names.add(path)
        name = posixpath.basename(path)
        if name.startswith(_WHITEOUT):
            folder = posixpath.dirname(path).rstrip("/")
            target = folder if name == _OPAQUE else f"{folder}/{name.removeprefix(_WHITEOUT)}"
            self._drop(target, itself=name != _OPAQUE, spared=names)
            return
        if member.islnk():
            self._hard_link(path, member, below)
            return
        entry = _entry(path, member)
        if path in self.entries and not (entry.is_folder and self.entries[path].is_folder):
            self._drop(path, itself=True, spared=set())
        self.entries[path] = entry
        attributes = {
            key.removeprefix(prefix): value.encode("utf-8", "surrogateescape")
            for key, value in member.pax_headers.items() for prefix in _XATTR
            if key.startswith(prefix) and not key.endswith(_LABEL)}
        if attributes:
            self.xattrs[path] = attributes
        if member.isreg():
            content = archive.extractfile(member)
            if content is not None:
                self._content(path, member.size, content)

    def _path(self, name: str, below: str) -> str | None:
        """Return a member's path in the tree, None for what is not in it."""
        if name.startswith("/"):
            self.faults.append(f"{name} is an absolute name")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            self.faults.append(f"{name} leads out of the tree")
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
            self.faults.append(f"{member.name} is a link to {member.linkname}, which is not in it")
            return
        other = self.entries[target]
        self.entries[path] = Entry(path, other.mode, other.uid, other.gid, other.size_bytes,
                                   other.target, other.label, other.mtime_s)
        if target in self.contents:
            self.contents[path] = self.contents[target]
        if target in self.digests:
            self.digests[path] = self.digests[target]
        if target in self.xattrs:
            self.xattrs[path] = self.xattrs[target]

    def _drop(self, path: str, *, itself: bool, spared: set[str]) -> None:
        """Take out what is below a path, and the path itself; not what this layer brought."""
        start = path.rstrip("/") + "/"
        for other in [one for one in self.entries
                      if (one.startswith(start) or (itself and one == path))
                      and one not in spared]:
            del self.entries[other]
            for table in (self.contents, self.digests, self.xattrs):
                cast("dict[str, object]", table).pop(other, None)

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


def _entry(path: str, member: tarfile.TarInfo) -> Entry:
    kinds = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK,
             tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK,
             tarfile.FIFOTYPE: stat.S_IFIFO}
    kind = kinds.get(member.type, stat.S_IFREG)
    label = next((member.pax_headers[prefix + _LABEL].rstrip("\0") for prefix in _XATTR
                  if prefix + _LABEL in member.pax_headers), "")
    return Entry(path, kind | stat.S_IMODE(member.mode), member.uid, member.gid,
                 member.size if kind == stat.S_IFREG else 0, member.linkname, label,
                 int(member.mtime))


class _Bounded:
    """A stream that gives up behind a bound: a decompression bomb is none of a tree's."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, UNPACKED_BYTES_MAX

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes; raises InputError behind the bound."""
        piece = self._stream.read(min(count, _PART_BYTES) if count >= 0 else _PART_BYTES)
        self._left -= len(piece)
        if self._left < 0:
            raise InputError(f"unpacks to more than {UNPACKED_BYTES_MAX >> 30} GiB")
        return piece


@contextmanager
def unpacked(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a stream's content: gzip, xz or Zstandard by its first bytes, else as it is."""
    head = stream.read(6)
    stream.seek(0)
    if head[:2] == b"\x1f\x8b":
        inner = cast("IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb"))
    elif head == b"\xfd7zXZ\0":
        inner = cast("IO[bytes]", lzma.LZMAFile(stream, "rb"))  # noqa: SIM115
    elif head[:4] == b"(\xb5/\xfd":
        inner = cast("IO[bytes]", zstandard.ZstdDecompressor(
            max_window_size=256 << 20).stream_reader(stream, read_across_frames=True))
    else:
        inner = stream
    yield cast("BinaryIO", _Bounded(inner))
