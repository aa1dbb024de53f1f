"""Looks wholly at a store: is each result, file by file, what was put?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from builder.store.entries import flaw_of, is_listed, known_size, label_of, mark_damaged
from builder.store.eviction import discard
from builder.store.shelves import Shelves
from host.locks import try_lock
from host.progress import Progress

STEP = "verify"


@dataclass(frozen=True)
class Checked:
    """One result. flaw: what is wrong with it, None if nothing is. removed: it is gone."""

    step: str
    digest: str
    label: str
    bytes: int
    flaw: str | None = None
    removed: bool = False


def check(shelves: Shelves, progress: Progress, *, repair: bool = False) -> Iterator[Checked]:
    """Read every result and yield what was found of each.

    A damaged one counts as none from then on, so that the next build makes it again; repair: it is
    removed at once, unless a running build reads it. What is being made just now is left out, and
    so is what an older ccis put, which is not used.
    progress: of the bytes on disk.
    """
    waiting = [(path, size_bytes) for path in shelves.results()
               if (size_bytes := known_size(path)) is not None and is_listed(path)]
    progress.start(STEP, sum(size_bytes for _, size_bytes in waiting), "bytes")
    before_bytes = 0
    for path, size_bytes in waiting:
        step, digest = path.parent.name, path.name
        done_bytes = 0

        def on_bytes(read_bytes: int, at_bytes: int = before_bytes, step: str = step) -> None:
            nonlocal done_bytes
            done_bytes += read_bytes
            progress.advance(STEP, at_bytes + done_bytes, step)

        descriptor = try_lock(shelves.lock(step, digest, "reading"), shared=True)
        if descriptor is None:  # an eviction is at it
            continue
        try:
            label, why = label_of(path), flaw_of(path, whole=True, on_bytes=on_bytes)
        finally:
            os.close(descriptor)
        if why is None:
            yield Checked(step, digest, label, size_bytes)
        else:
            gone = repair and discard(shelves, path)
            if not gone:
                mark_damaged(path, why)
            yield Checked(step, digest, label, size_bytes, why, gone)
        before_bytes += size_bytes
        progress.advance(STEP, before_bytes)
    progress.finish(STEP)
