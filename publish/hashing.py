"""Hashes the files of a folder on all processors, each content once however many names it has."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from host.progress import Progress
from publish.folder import FolderFile, UnusableError
from publish.source import ReadFolder


def hash_all(
    folder: ReadFolder, entries: Sequence[FolderFile], step: str, progress: Progress,
) -> dict[str, str | UnusableError]:
    """Return the SHA-256 of each file by its name, or why it can't be had.

    step: what the work is called before whoever watches it.
    """
    names: dict[tuple[int, int], list[str]] = defaultdict(list)
    sizes: dict[tuple[int, int], int] = {}
    for entry in entries:
        names[entry.inode].append(entry.name)
        sizes[entry.inode] = entry.size_bytes
    progress.start(step, sum(sizes.values()), "bytes")
    lock = threading.Lock()
    done_bytes = 0

    def hashed(inode: tuple[int, int]) -> str | UnusableError:
        first = names[inode][0]

        def count(piece_bytes: int) -> None:
            nonlocal done_bytes
            with lock:
                done_bytes += piece_bytes
                progress.advance(step, done_bytes, first)

        try:
            return folder.sha256(first, count)
        except UnusableError as error:
            return error

    # Largest first, so that no processor is left with a big one at the end; hashlib lets others
    # run while it works, so threads do.
    order = sorted(names, key=lambda inode: sizes[inode], reverse=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = dict(zip(order, pool.map(hashed, order), strict=True))
    progress.finish(step)
    return {name: outcomes[inode] for inode in order for name in names[inode]}
