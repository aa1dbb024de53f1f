"""Small files as members of a tar archive: made of text, the same bytes each time."""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """A file, or, with `link`, a symbolic link."""

    content: str = ""
    mode: int = 0o644
    link: str = ""


def members(files: Mapping[str, Member | str], epoch: int) -> bytes:
    """Return the files as the beginning of an archive: more members may follow.

    files: by their name in the archive, in the order that is wanted; a name that ends with a
    slash is a folder. All belong to root and have the time `epoch`.
    """
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, given in files.items():
            member = Member(given) if isinstance(given, str) else given
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.mtime, entry.mode = epoch, member.mode
            content = member.content.encode()
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            elif member.link:
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, member.link, 0o777
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        length = archive.offset
    return raw.getvalue()[:length]


def archive_xz(files: Mapping[str, Member | str], epoch: int) -> bytes:
    """Return the files as a whole tar.xz."""
    plain = members(files, epoch)
    end = bytes(2 * tarfile.BLOCKSIZE)
    padding = bytes(-(len(plain) + len(end)) % tarfile.RECORDSIZE)
    return lzma.compress(plain + end + padding, preset=6)
