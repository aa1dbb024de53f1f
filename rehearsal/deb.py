"""Reads a Debian package's files without unpacking it: an `ar` archive that holds a tar."""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from host.errors import InputError
from rehearsal.model import PackagedFile

_TYPES = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.REGTYPE: stat.S_IFREG,
          tarfile.AREGTYPE: stat.S_IFREG, tarfile.SYMTYPE: stat.S_IFLNK,
          tarfile.LNKTYPE: stat.S_IFREG}


def read_deb(path: Path) -> list[PackagedFile]:
    """Return every file, folder and link of a Debian package, with absolute paths.

    Hard links become copies: rpm could keep them, at the price of a second kind of entry.
    Raises InputError when the file is not a Debian package.
    """
    seen: dict[str, bytes] = {}
    files = []
    with tarfile.open(fileobj=io.BytesIO(_data_tar(path)), mode="r:") as archive:
        for member in archive:
            name = "/" + member.name.removeprefix("./").strip("/")
            if name in ("/", "/."):
                continue
            kind = _TYPES.get(member.type)
            if kind is None:
                raise InputError(f"{name} is no file, folder or link", where=str(path))
            content = b""
            if member.islnk():
                content = seen["/" + member.linkname.removeprefix("./")]
            elif member.issym():
                content = member.linkname.encode()
            elif member.isreg():
                stream = archive.extractfile(member)
                content = stream.read() if stream else b""
                seen[name] = content
            files.append(PackagedFile(
                name, kind | (0o777 if member.issym() else member.mode & 0o7777), content,
                member.uname or "root", member.gname or "root", int(member.mtime),
            ))
    return files


def _data_tar(path: Path) -> bytes:
    for name, content in _ar_members(path):
        if name == "data.tar.xz":
            return lzma.decompress(content)
        if name == "data.tar.gz":
            return zlib.decompress(content, wbits=31)
        if name == "data.tar":
            return content
    raise InputError("this is no Debian package that we can read", where=str(path))


def _ar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    position = 8 if data.startswith(b"!<arch>\n") else len(data)
    while position + 60 <= len(data):
        head = data[position:position + 60]
        name, size = head[:16].decode().strip().rstrip("/"), int(head[48:58])
        yield name, data[position + 60:position + 60 + size]
        position += 60 + size + size % 2
