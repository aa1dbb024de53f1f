"""The store: each step's result, kept under the digest of everything that went into it.

Layout below its root, which nobody else may enter:

    objects/<step>/<digest>/        a finished result: data/, entry.json, its manifest, and in uses/
                                    the labels of the images that it is part of
    locks/<step>-<digest>.lock      held shared by who reads an entry, alone by who makes it
    staging/<random>/               a result in the making, with a lock file beside it
    packages/                       RPM files fetched from mirrors, by checksum
    metadata/                       the repositories' metadata, as dnf keeps it; in near/ what was
                                    brought here of repositories on other hosts

A result is moved into objects/ in one step when it is complete, so a killed build leaves only a
staging folder, whose lock the kernel has dropped and which the next build removes. What it is made
of (manifest.py) is written down behind the back of the next step, while its files are in memory
still; until then nobody else sees it. Whatever else lies where a result belongs is a miss, and
makes way; so does a result that is no longer as it was put.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from builder.store.behind import Behind
from builder.store.entries import (
    Entry,
    complete,
    flaw_of,
    last_use,
    mark_damaged,
    note_last_use,
    read_entry,
    write_entry,
)
from builder.store.eviction import discard, evict, remove_result
from builder.store.folder import settle
from builder.store.shelves import Shelves
from builder.store.uses import last_use_by, note_use
from host.errors import HostError, InputError, from_os_error
from host.locks import try_lock, wait_lock
from host.places import store_folder
from host.scratch import guarded_folder, sweep
from images.sizes import parse_size

__all__ = ["DEFAULT_LIMIT", "Entry", "Store", "open_store"]

log = logging.getLogger("ccis.store")

DEFAULT_LIMIT = "40 GiB"


class Store:
    """A content-addressed cache of one folder, shared by all builds of a host.

    over_bytes: by how much what was in use went over the limit at most.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.shelves = Shelves(root.absolute())
        self.limit_bytes = limit_bytes
        self._held: dict[tuple[str, str], int] = {}
        self._trusted: set[tuple[str, str]] = set()
        self._behind = Behind()
        self._bytes: int | None = None
        self.over_bytes = 0

    @property
    def root(self) -> Path:
        """The store's own folder."""
        return self.shelves.root

    @property
    def packages(self) -> Path:
        """Where fetched RPM files are kept."""
        return self.shelves.folder("packages")

    @property
    def metadata(self) -> Path:
        """Where dnf keeps the repositories' metadata."""
        return self.shelves.folder("metadata")

    def find(self, step: str, digest: str) -> Entry | None:
        """Return a finished result and keep it from eviction until release(), or None.

        Whether it is still what was put is found out by take().
        """
        return self._held_entry(step, digest, is_complete=(step, digest) not in self._trusted)

    def take(
        self, step: str, digest: str, say: Callable[[str], None] = log.warning,
    ) -> Entry | None:
        """Return a finished result that is to be used, or None if there is none that is sound.

        Once in a run its structure and some of its content are compared with its manifest. say: is
        told of a damaged one, which makes way.
        """
        found = self.find(step, digest)
        if found is None or (step, digest) in self._trusted:
            return found
        why = flaw_of(found.path)
        if why is None:
            self._trusted.add((step, digest))
            return found
        say(f"{step}: the result in the store is damaged and is made again: {why}")
        self.forget(found, why)
        return None

    def forget(self, entry: Entry, why: str) -> None:
        """Have a damaged result be none; it is removed, unless somebody else reads it."""
        key = entry.step, entry.digest
        self._trusted.discard(key)
        if key in self._held:
            self._drop(*key)
        if not discard(self.shelves, entry.path):
            mark_damaged(entry.path, why)

    def peek(self, step: str, digest: str) -> Path | None:
        """Return the data of a finished result, to look at a note; nothing keeps it there."""
        entry = read_entry(self.shelves.result(step, digest),
                           is_complete=(step, digest) not in self._trusted)
        return entry.data if entry else None

    def make(
        self, step: str, digest: str, *, inputs: dict[str, str], label: str,
        fill: Callable[[Path], None], say: Callable[[str], None] = log.warning,
    ) -> tuple[Entry, bool]:
        """Return the result for `digest`, made by `fill(folder)` unless it is there already.

        label: what the result is of, such as "generic-cloud rehearsal-10 x86_64"; the newest
        entry of the same label is what a miss is explained against. say: is told of a damaged
        result, and that somebody else is waited for.
        Returns the entry and whether it was there. Of several processes that want the same
        result, one makes it and the others wait for it.
        """
        if entry := self.take(step, digest, say):
            return entry, True
        with ExitStack() as stack:
            stack.callback(os.close, self._making(step, digest, say))
            if entry := self.take(step, digest, say):
                return entry, True
            with self.staging() as staging:
                data = staging / "data"
                data.mkdir()
                fill(data)
                write_entry(staging, step, digest, inputs, label)
                self._hold(step, digest)  # before it is there: a sweep takes what is unfinished
                self._commit(staging, step, digest)
            self.note_use(step, digest, label)
            entry = self._held_entry(step, digest, is_complete=False)
            if entry is None:
                raise HostError("a result was damaged while it was put into the store",
                                where=str(self.shelves.result(step, digest)),
                                remedy="does something else write into the store?")
            self._trusted.add((step, digest))
            self._behind.do(lambda: self._complete(entry.path), then=stack.pop_all().close)
        return entry, False

    def let_go(self, step: str, digest: str) -> None:
        """Let go of one entry that is needed no more in this run: it may make room for others."""
        def drop() -> None:  # when its manifest is written; until then it is none without us
            if (step, digest) in self._held:
                self._drop(step, digest)
            self._make_room()

        self._behind.do(drop)

    def _complete(self, path: Path) -> None:
        size_bytes = complete(path)
        if self._bytes is not None:
            self._bytes += size_bytes
        self._make_room()

    def _make_room(self) -> None:
        """Keep to the limit while a build runs; what is said to be in use stays."""
        if self._bytes is None or self._bytes > self.limit_bytes:
            self._bytes = evict(self.shelves, self.limit_bytes)
            self.over_bytes = max(self.over_bytes, self._bytes - self.limit_bytes)

    def settle(self) -> None:
        """Wait until all that was made can be found by others."""
        self._behind.wait()

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system that is gone after the block."""
        try:
            with guarded_folder(self.shelves.folder("staging")) as folder:
                yield folder
        except OSError as error:
            raise from_os_error(error, f"writing into the store {self.root}") from error

    def note_use(self, step: str, digest: str, label: str) -> None:
        """Note that a result is part of what `label` is, too, whoever it was made for."""
        if self.shelves.has(step, digest):
            note_use(self.shelves.result(step, digest), label)

    def newest(self, step: str, label: str) -> Entry | None:
        """Return the entry that `label` used last, to compare inputs with."""
        best: tuple[float, Entry] | None = None
        for path in self.shelves.results(step):
            stamp = last_use_by(path, label)
            if stamp is not None and (best is None or stamp > best[0]) and (
                    entry := read_entry(path, is_complete=False)):
                best = (stamp, entry)
        return best[1] if best else None

    def release(self) -> None:
        """Let go of all entries that find(), take() and make() gave."""
        self.settle()
        with ExitStack() as stack:
            for descriptor in self._held.values():
                stack.callback(os.close, descriptor)
        self._held.clear()
        self._trusted.clear()

    def sweep(self) -> None:
        """Remove what killed builds left and what is no result, then the least recently used
        beyond the size limit."""
        sweep(self.shelves.folder("staging"))
        self._bytes = evict(self.shelves, self.limit_bytes)

    def usage(self) -> list[tuple[str, str, int, float]]:
        """Return step, label, bytes on disk and time of last use of every entry."""
        self.settle()
        return [(entry.step, entry.label, entry.size_bytes, last_use(path))
                for path in self.shelves.results() if (entry := read_entry(path))]

    def _commit(self, staging: Path, step: str, digest: str) -> None:
        target = self.shelves.new_result(step, digest)
        if os.path.lexists(target):  # read_entry refused it
            remove_result(target)
        staging.rename(target)

    def _held_entry(self, step: str, digest: str, *, is_complete: bool = True) -> Entry | None:
        if not self.shelves.has(step, digest):
            return None
        path = self.shelves.result(step, digest)
        self._hold(step, digest)
        entry = read_entry(path, is_complete=is_complete)
        if entry is None:
            self._drop(step, digest)
            return None
        note_last_use(path)
        return entry

    def _making(self, step: str, digest: str, say: Callable[[str], None]) -> int:
        """Take the lock of who makes a result; its descriptor lets go of it."""
        path = self.shelves.lock(step, digest, "making")
        descriptor = try_lock(path)
        if descriptor is None:
            say(f"{step}: another ccis is making the same; waiting for it")
            descriptor = wait_lock(path)
        return descriptor

    def _hold(self, step: str, digest: str) -> None:
        if (step, digest) not in self._held:
            path = self.shelves.lock(step, digest, "reading")
            descriptor = try_lock(path, shared=True)
            while descriptor is None:  # an eviction is just ending
                time.sleep(0.01)
                descriptor = try_lock(path, shared=True)
            self._held[(step, digest)] = descriptor

    def _drop(self, step: str, digest: str) -> None:
        os.close(self._held.pop((step, digest)))


def open_store() -> Store:
    """Open the store that CCIS_STORE names (default: the user's cache), within CCIS_STORE_LIMIT.

    Raises InputError for a limit that is no size, HostError when the folder can't be made or is
    not fit for a store.
    """
    limit = os.environ.get("CCIS_STORE_LIMIT", DEFAULT_LIMIT)
    try:
        limit_bytes = parse_size(limit)
    except ValueError as error:
        raise InputError("CCIS_STORE_LIMIT is wrong", why=str(error)) from error
    root = store_folder()
    try:
        settle(root)
        store = Store(root, limit_bytes)
        store.sweep()
    except OSError as error:
        raise from_os_error(error, f"opening the store {root}") from error
    return store
