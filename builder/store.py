"""The store: each step's result, kept under the digest of everything that went into it.

Layout below its root, which nobody else may enter:

    objects/<step>/<digest>/        a finished result: data/, entry.json, and in uses/ the labels of
                                    the images that it is part of
    locks/<step>-<digest>.lock      held shared by who reads an entry, alone by who makes it
    staging/<random>/               a result in the making, with a lock file beside it
    packages/                       RPM files fetched from mirrors, by checksum
    metadata/                       the repositories' metadata, as dnf keeps it

A result is moved into objects/ in one step when it is complete, so a killed build leaves only a
staging folder, whose lock the kernel has dropped and which the next build removes. Whatever else
lies where a result belongs is a miss, and makes way.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from builder.entries import (
    RECORD,
    Entry,
    known_size,
    last_use,
    note_last_use,
    read_entry,
    write_entry,
)
from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.errors import CcisError, HostError, InputError, from_os_error
from host.folders import content, is_real_folder, own_folder, real_folder
from host.locks import locked, try_lock
from host.places import store_folder
from host.scratch import guarded_folder, sweep
from images.sizes import parse_size

__all__ = ["DEFAULT_LIMIT", "Entry", "Store", "open_store"]

log = logging.getLogger("ccis.store")

_USES = "uses"
_NAME_BYTES_MAX = 200
_CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=e
_ROOMS = frozenset({"objects", "locks", "staging", "packages", "metadata"})
_OURS = _ROOMS | {"keys", "secret.key", "lost+found"}
DEFAULT_LIMIT = "40 GiB"


class Store:
    """A content-addressed cache of one folder, shared by all builds of a host."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root.absolute()
        self.limit_bytes = limit_bytes
        self._held: dict[tuple[str, str], int] = {}

    @property
    def packages(self) -> Path:
        """Where fetched RPM files are kept."""
        return self._folder("packages")

    @property
    def metadata(self) -> Path:
        """Where dnf keeps the repositories' metadata."""
        return self._folder("metadata")

    def find(self, step: str, digest: str) -> Entry | None:
        """Return a finished result and keep it from eviction until release(), or None."""
        path = self._object(step, digest)
        if not is_real_folder(path.parent) or not is_real_folder(path):
            return None
        self._hold(step, digest)
        entry = read_entry(path)
        if entry is None:
            self._drop(step, digest)
            return None
        note_last_use(path)
        return entry

    def make(
        self, step: str, digest: str, *, inputs: dict[str, str], label: str,
        fill: Callable[[Path], None],
    ) -> tuple[Entry, bool]:
        """Return the result for `digest`, made by `fill(folder)` unless it is there already.

        label: what the result is of, such as "generic-cloud rehearsal-10 x86_64"; the newest
        entry of the same label is what a miss is explained against.
        Returns the entry and whether it was there. Of several processes that want the same
        result, one makes it and the others wait for it.
        """
        if entry := self.find(step, digest):
            return entry, True
        with locked(self._lock(step, digest, "making")):
            if entry := self.find(step, digest):
                return entry, True
            with self.staging() as staging:
                data = staging / "data"
                data.mkdir()
                fill(data)
                write_entry(staging, step, digest, inputs, label)
                self._commit(staging, step, digest)
            self.note_use(step, digest, label)
            entry = self.find(step, digest)
        if entry is None:
            raise HostError("a result was damaged while it was put into the store",
                            where=str(self._object(step, digest)),
                            remedy="does something else write into the store?")
        return entry, False

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system that is gone after the block."""
        try:
            with guarded_folder(self._folder("staging")) as folder:
                yield folder
        except OSError as error:
            raise from_os_error(error, f"writing into the store {self.root}") from error

    def note_use(self, step: str, digest: str, label: str) -> None:
        """Note that a result is part of what `label` is, too, whoever it was made for."""
        path = self._object(step, digest)
        if not is_real_folder(path.parent) or not is_real_folder(path):
            return
        root = Root(path)
        with suppress(OSError, CcisError):  # evicted, say: then there is nothing to note
            if not root.is_folder(f"/{_USES}", follow=False):
                root.remove(f"/{_USES}")
                root.make_folder(f"/{_USES}")
            root.write(f"/{_USES}/{_use(label)}", b"")

    def newest(self, step: str, label: str) -> Entry | None:
        """Return the entry that `label` used last, to compare inputs with."""
        best: tuple[float, Entry] | None = None
        for path in self._paths(step):
            try:
                stamp = (path / _USES / _use(label)).lstat().st_mtime
            except OSError:
                continue
            if (best is None or stamp > best[0]) and (entry := read_entry(path)):
                best = (stamp, entry)
        return best[1] if best else None

    def release(self) -> None:
        """Let go of all entries that find() and make() gave."""
        with ExitStack() as stack:
            for descriptor in self._held.values():
                stack.callback(os.close, descriptor)
        self._held.clear()

    def sweep(self) -> None:
        """Remove what killed builds left and what is no result, then the least recently used
        beyond the size limit."""
        sweep(self._folder("staging"))
        self._evict()

    def usage(self) -> list[tuple[str, str, int, float]]:
        """Return step, label, bytes on disk and time of last use of every entry."""
        return [(entry.step, entry.label, entry.size_bytes, last_use(path))
                for path in self._paths() if (entry := read_entry(path))]

    def _evict(self) -> None:
        """Remove what has no record, then the least recently used, which nobody reads, until the
        rest fits."""
        waiting: list[tuple[float, int, Path]] = []
        for path in self._paths():
            size_bytes = known_size(path)
            if size_bytes is None:
                self._discard(path)
            else:
                waiting.append((last_use(path), size_bytes, path))
        total = sum(size_bytes for _, size_bytes, _ in waiting)
        for _, size_bytes, path in sorted(waiting):
            if total <= self.limit_bytes:
                return
            if self._discard(path):
                total -= size_bytes

    def _discard(self, path: Path) -> bool:
        """Remove something below objects/ that nobody reads; say whether it is gone."""
        try:
            lock_file = self._lock(path.parent.name, path.name, "reading")
            descriptor = try_lock(lock_file)
            if descriptor is None:
                return False
            try:
                _remove(path)
                lock_file.unlink(missing_ok=True)
            finally:
                os.close(descriptor)
        except OSError as error:  # a full disk, say; the others may go all the same
            log.debug("%s stays: %s", path, error)
            return False
        return True

    def _paths(self, step: str | None = None) -> Iterator[Path]:
        """Yield all that is where results belong, and where folders of results do."""
        objects = self._folder("objects")
        for above in [objects / step] if step else content(objects):
            if is_real_folder(above):
                yield from content(above)
            elif not step:
                yield above

    def _commit(self, staging: Path, step: str, digest: str) -> None:
        target = real_folder(self._folder("objects") / step) / digest
        if os.path.lexists(target):  # read_entry refused it
            _remove(target)
        staging.rename(target)

    def _hold(self, step: str, digest: str) -> None:
        if (step, digest) not in self._held:
            path = self._lock(step, digest, "reading")
            descriptor = try_lock(path, shared=True)
            while descriptor is None:  # an eviction is just ending
                time.sleep(0.01)
                descriptor = try_lock(path, shared=True)
            self._held[(step, digest)] = descriptor

    def _drop(self, step: str, digest: str) -> None:
        os.close(self._held.pop((step, digest)))

    def _object(self, step: str, digest: str) -> Path:
        return self._folder("objects") / step / digest

    def _lock(self, step: str, digest: str, purpose: str) -> Path:
        return self._folder("locks") / f"{_short(f'{step}-{digest}')}.{purpose}"

    def _folder(self, name: str) -> Path:
        path = self.root / name
        if not is_real_folder(path):
            own_folder(self.root)
            real_folder(path)
        return path


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
        _settle(root)
        store = Store(root, limit_bytes)
        store.sweep()
    except OSError as error:
        raise from_os_error(error, f"opening the store {root}") from error
    return store


def _settle(root: Path) -> None:
    """See that nobody else reaches what is in a store, and that its file system is fit for one.

    A folder that holds other things as well keeps its mode; those of the store in it are guarded
    one by one. Raises HostError.
    """
    strange = [path for path in content(root)
               if path.name not in _OURS and not path.name.startswith(".secret.key.")]
    if not strange:
        own_folder(root)
    elif root.stat().st_mode & 0o022 and not root.stat().st_mode & stat.S_ISVTX:
        raise HostError("others can write into the folder of the store", where=str(root),
                        why=f"it holds other things, such as {strange[0].name}",
                        remedy="give the store a folder of its own (CCIS_STORE)")
    for name in sorted(_ROOMS):
        real_folder(root / name)
    if os.geteuid() == 0:
        _check_file_system(root / "staging")


def _check_file_system(folder: Path) -> None:
    """Raise HostError where a root tree would lose something that it is made of."""
    lack = ""
    with guarded_folder(folder) as probe:
        (probe / "a").touch()
        if (probe / "A").exists():
            lack = "names that differ in their case alone are the same there"
        try:
            os.setxattr(probe / "a", "trusted.ccis", b"1")  # what overlayfs keeps
            os.setxattr(probe / "a", "security.capability", _CAPABILITY)
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:  # else we may not: `ccis doctor` tells
                lack = "it keeps no extended attributes"
    if lack:
        raise HostError("the file system is not fit for a store", where=str(folder.parent),
                        why=lack, remedy="put the store (CCIS_STORE) on ext4, xfs, btrfs or tmpfs")


def _remove(path: Path) -> None:
    """Remove a result, its record first: half of it is none. Raises OSError."""
    if is_real_folder(path):
        remove_tree(path / RECORD)
    remove_tree(path)


def _use(label: str) -> str:
    """Return the name of the file that says that a label uses a result."""
    return _short(quote(label, safe=" "))


def _short(name: str) -> str:
    """Return a name that a file can have: a long one ends in its digest."""
    raw = os.fsencode(name)
    if len(raw) <= _NAME_BYTES_MAX:
        return name
    digest = hashlib.sha256(raw).hexdigest()
    return f"{raw[:_NAME_BYTES_MAX - len(digest)].decode(errors='replace')[:100]}{digest}"
