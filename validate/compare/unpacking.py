"""Opens an archive of a stranger's for comparison, by what it begins with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from validate.streams import kind_of, unpacked

HEAD_BYTES = 512
_USTAR = b"ustar"


def archive_kind(head: bytes) -> str | None:
    """Return how an archive begins: gzip, xz, zstd, bzip2 or tar; None: it is none that we know."""
    if head[257:262] == _USTAR:
        return "tar"
    return kind_of(head)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO | None]:
    """Yield what an archive unpacks to, None for a file of no kind that we know.

    Reading raises one of validate.tars.BROKEN for what is damaged, InputError for what unpacks to
    more than any archive does.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        if archive_kind(head) is None:
            yield None
            return
        yield unpacked(stream)
