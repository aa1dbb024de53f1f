"""Reads a Debian package's files without unpacking it: an `ar` archive that holds a tar.

No library serves: python-debian's ArFile believes any size, and one of -60 leads it back to the
same member for ever (tests/security/test_security_rehearsal.py). tarfile reads what is inside.

A package is data that somebody else made. Its paths become ours when a maker writes them down
(makers/making.py), so none may lead upwards; its sizes are believed as far as they are bounded.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from host.beneath.root import Root
from host.errors import InputError
from rehearsal.model import PackagedFile

_TYPES = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.REGTYPE: stat.S_IFREG,
          tarfile.AREGTYPE: stat.S_IFREG, tarfile.SYMTYPE: stat.S_IFLNK,
          tarfile.LNKTYPE: stat.S_IFREG}
# Debian's largest kernel unpacks to some 500 MB.
_PACKED_BYTES, _UNPACKED_BYTES = 1 << 30, 2 << 30
_LAST_TIME_S = (1 << 32) - 1  # rpm's header has 32 bits for it
_SIZE = re.compile(rb"[0-9]{1,10} *")


def read_deb(path: Path) -> list[PackagedFile]:
    """Return every file, folder and link of a Debian package, with absolute paths.

    Hard links become copies: rpm could keep them, at the price of a second kind of entry.
    Raises InputError when the file is not a Debian package, or not one that dpkg would make.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_data_tar(path)), mode="r:") as archive:
            return list(_files(archive, str(path)))
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError, OSError,
            OverflowError) as error:
        raise InputError("this is no Debian package that we can read", where=str(path),
                         why=str(error)) from error


def _files(archive: tarfile.TarFile, where: str) -> Iterator[PackagedFile]:
    seen: dict[str, bytes] = {}
    for member in archive:
        name = "/" + member.name.removeprefix("./").strip("/")
        if name in ("/", "/."):
            continue
        _check_path(name, where)
        kind = _TYPES.get(member.type)
        if kind is None:
            raise InputError(f"{name} is no file, folder or link", where=where)
        content = b""
        if member.islnk():
            original = "/" + member.linkname.removeprefix("./")
            if original not in seen:
                raise InputError(f"{name} is a link to {original}, which does not come before it",
                                 where=where)
            content = seen[original]
        elif member.issym():
            content = member.linkname.encode()
        elif member.isreg():
            stream = archive.extractfile(member)
            content = stream.read() if stream else b""
            seen[name] = content
        if not 0 <= member.mtime <= _LAST_TIME_S:
            raise InputError(f"{name} has a time that no package can have", where=where)
        yield PackagedFile(
            name, kind | (0o777 if member.issym() else member.mode & 0o7777), content,
            member.uname or "root", member.gname or "root", int(member.mtime),
        )


def _check_path(path: str, where: str) -> None:
    """Raise InputError for a path that would leave the folder that it is written below."""
    if ".." in PurePosixPath(path).parts or str(PurePosixPath(path)) != path:
        raise InputError(f"{path} leads elsewhere", where=where)
    if not path.isprintable():
        raise InputError(f"{path!r} is no name of a file in a package", where=where)


def _data_tar(path: Path) -> bytes:
    for name, content in _ar_members(path):
        if name == "data.tar.xz":
            return unpacked(lzma.LZMAFile(io.BytesIO(content)))
        if name == "data.tar.gz":
            return unpacked(gzip.GzipFile(fileobj=io.BytesIO(content)))
        if name == "data.tar":
            return content
    raise InputError("this is no Debian package that we can read", where=str(path))


def unpacked(stream: io.BufferedIOBase) -> bytes:
    """Return what a compressed stream holds. Raises ValueError when it is out of all measure."""
    with stream:
        content = stream.read(_UNPACKED_BYTES + 1)
    if len(content) > _UNPACKED_BYTES:
        raise ValueError(f"it unpacks to more than {_UNPACKED_BYTES} bytes")
    return content


def _ar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    data = Root(path.parent).read(f"/{path.name}", _PACKED_BYTES)
    position = 8 if data.startswith(b"!<arch>\n") else len(data)
    while position + 60 <= len(data):
        head = data[position:position + 60]
        if not _SIZE.fullmatch(head[48:58]):
            raise ValueError(f"a member's size is {head[48:58]!r}")
        name, size = head[:16].decode().strip().rstrip("/"), int(head[48:58])
        yield name, data[position + 60:position + 60 + size]
        position += 60 + size + size % 2
