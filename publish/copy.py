"""Copies a file and hashes it on the way: one read, holes stay holes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from host.sparse import pieces


def copy_hashed(origin: BinaryIO, target: Path, on_bytes: Callable[[int], None]) -> str:
    """Copy an open regular file to a new one and return the SHA-256 of what was copied.

    What is hashed is what was written, so a source that changes meanwhile can't slip through.
    on_bytes: called with the number of bytes of each piece. Raises OSError.
    """
    digest = hashlib.sha256()
    with target.open("xb", buffering=0) as copy:
        size_bytes = os.fstat(origin.fileno()).st_size
        for offset, piece, is_data in pieces(origin.fileno(), size_bytes):
            written = 0
            while is_data and written < len(piece):  # a nearly full disk takes a part first
                written += os.pwrite(copy.fileno(), piece[written:], offset + written)
            digest.update(piece)
            on_bytes(len(piece))
        copy.truncate(size_bytes)
    return digest.hexdigest()
