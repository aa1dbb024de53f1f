"""The store: each step's result, kept under the digest of everything that went into it.

Layout below its root:

    objects/<step>/<digest>/        a finished result: data/, entry.json, and in uses/ the labels of
                                    the images that it is part of
    locks/<step>-<digest>.lock      held shared by who reads an entry, alone by who makes it
    staging/<random>/               a result in the making, with a lock file beside it
    packages/                       RPM files fetched from mirrors, by checksum
    metadata/                       the repositories' metadata, as dnf keeps it

A result is moved into objects/ in one step when it is complete, so a killed build leaves only a
staging folder, whose lock the kernel has dropped and which the next build removes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from host.errors import InputError, from_os_error
from host.locks import locked, try_lock
from host.places import cache_folder
from images.sizes import parse_size

_USES = "uses"
DEFAULT_LIMIT = "40 GiB"


@dataclass(frozen=True)
class Entry:
    """A finished result. inputs: what its digest was made of, for explaining a miss later."""

    step: str
    digest: str
    path: Path
    inputs: dict[str, str]
    label: str

    @property
    def data(self) -> Path:
        """The folder that holds the result itself."""
        return self.path / "data"


class Store:
    """A content-addressed cache of one folder, shared by all builds of a host."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root
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
        if not path.is_dir():
            return None
        self._hold(step, digest)
        entry = _read_entry(path)
        if entry is None:
            self._drop(step, digest)
            return None
        os.utime(path / "entry.json")
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
                _write_entry(staging, step, digest, inputs, label)
                self._commit(staging, self._object(step, digest))
            self.note_use(step, digest, label)
            entry = self.find(step, digest)
        assert entry is not None, "the result was committed and is held"
        return entry, False

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system that is gone after the block."""
        folder = Path(tempfile.mkdtemp(dir=self._folder("staging")))
        folder.chmod(0o755)
        lock_file = folder.with_suffix(".lock")
        descriptor = try_lock(lock_file)
        try:
            yield folder
        except OSError as error:
            raise from_os_error(error, f"writing into the store {self.root}") from error
        finally:
            remove_tree(folder)
            lock_file.unlink(missing_ok=True)
            if descriptor is not None:
                os.close(descriptor)

    def note_use(self, step: str, digest: str, label: str) -> None:
        """Note that a result is part of what `label` is, too, whoever it was made for."""
        folder = self._object(step, digest) / _USES
        with suppress(FileNotFoundError):  # evicted: then there is nothing to note
            folder.mkdir(exist_ok=True)
            (folder / quote(label, safe=" ")).touch()

    def newest(self, step: str, label: str) -> Entry | None:
        """Return the entry that `label` used last, to compare inputs with."""
        best: tuple[float, Entry] | None = None
        for _, path in self._entries(step):
            use = path / _USES / quote(label, safe=" ")
            stamp = use.stat().st_mtime if use.exists() else 0.0
            if not stamp or (best and stamp <= best[0]):
                continue
            if entry := _read_entry(path):
                best = (stamp, entry)
        return best[1] if best else None

    def release(self) -> None:
        """Let go of all entries that find() and make() gave."""
        with ExitStack() as stack:
            for descriptor in self._held.values():
                stack.callback(os.close, descriptor)
        self._held.clear()

    def sweep(self) -> None:
        """Remove what killed builds left, then the least recently used beyond the size limit."""
        for lock_file in self._folder("staging").glob("*.lock"):
            descriptor = try_lock(lock_file)
            if descriptor is not None:
                remove_tree(lock_file.with_suffix(""))
                lock_file.unlink(missing_ok=True)
                os.close(descriptor)
        self._evict()

    def usage(self) -> list[tuple[str, str, int, float]]:
        """Return step, label, bytes on disk and time of last use of every entry."""
        rows = []
        for stamp, path in self._entries():
            entry = _read_entry(path)
            if entry:
                rows.append((entry.step, entry.label, _size_bytes(path), stamp))
        return rows

    def _evict(self) -> None:
        """Remove the least recently used entries that nobody reads until the rest fits."""
        entries = sorted(self._entries())
        sizes = {path: _size_bytes(path) for _, path in entries}
        total = sum(sizes.values())
        for _, path in entries:
            if total <= self.limit_bytes:
                return
            lock_file = self._lock(path.parent.name, path.name, "reading")
            descriptor = try_lock(lock_file)
            if descriptor is None:
                continue
            doomed = Path(tempfile.mkdtemp(dir=self._folder("staging")))
            with suppress(FileNotFoundError):  # another process has evicted it meanwhile
                path.rename(doomed / "data")
            remove_tree(doomed)
            lock_file.unlink(missing_ok=True)
            os.close(descriptor)
            total -= sizes[path]

    def _entries(self, step: str = "*") -> Iterator[tuple[float, Path]]:
        for record in self._folder("objects").glob(f"{step}/*/entry.json"):
            try:
                yield record.stat().st_mtime, record.parent
            except FileNotFoundError:
                continue  # evicted by another process meanwhile

    def _commit(self, staging: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        finished = staging.with_name(staging.name + ".done")
        staging.rename(finished)
        staging.mkdir()
        if target.exists():  # unreadable: _read_entry refused it
            remove_tree(target)
        finished.rename(target)

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
        return self.root / "objects" / step / digest

    def _lock(self, step: str, digest: str, purpose: str) -> Path:
        return self._folder("locks") / f"{step}-{digest}.{purpose}"

    def _folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def open_store() -> Store:
    """Open the store that CCIS_STORE names (default: the user's cache), within CCIS_STORE_LIMIT.

    Raises InputError for a limit that is no size, HostError when the folder can't be made.
    """
    limit = os.environ.get("CCIS_STORE_LIMIT", DEFAULT_LIMIT)
    try:
        limit_bytes = parse_size(limit)
    except ValueError as error:
        raise InputError("CCIS_STORE_LIMIT is wrong", why=str(error)) from error
    root = Path(os.environ.get("CCIS_STORE") or cache_folder() / "store")
    try:
        root.mkdir(parents=True, exist_ok=True)
        store = Store(root, limit_bytes)
        store.sweep()
    except OSError as error:
        raise from_os_error(error, f"opening the store {root}") from error
    return store


def remove_tree(path: Path) -> None:
    """Remove a folder of any content; immutable flags and odd modes are root's business."""
    shutil.rmtree(path, ignore_errors=True)
    for leftover in path.parent.glob(f"{path.name}.done"):
        shutil.rmtree(leftover, ignore_errors=True)


def _write_entry(
    folder: Path, step: str, digest: str, inputs: dict[str, str], label: str,
) -> None:
    record = {
        "step": step, "digest": digest, "inputs": inputs, "label": label,
        "files": _fingerprints(folder / "data"), "bytes": _disk_bytes(folder),
    }
    (folder / "entry.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


def _read_entry(path: Path) -> Entry | None:
    """Return the entry of a folder, or None if it is incomplete or was changed afterwards."""
    try:
        record = json.loads((path / "entry.json").read_text(encoding="utf-8"))
        if record["files"] != _fingerprints(path / "data"):
            return None
        return Entry(record["step"], record["digest"], path, record["inputs"], record["label"])
    except (OSError, ValueError, KeyError):
        return None


def _fingerprints(data: Path) -> dict[str, list[int]]:
    """Return size and time of the files on top and in files/: artefacts are hard-linked into
    outputs, where a careless hand may change them; such an entry must not be used again."""
    return {
        str(item.relative_to(data)): [item.stat().st_size, item.stat().st_mtime_ns]
        for item in sorted([*data.iterdir(), *data.glob("files/*")])
        if item.is_file() and not item.is_symlink()
    }


def _size_bytes(path: Path) -> int:
    try:
        return int(json.loads((path / "entry.json").read_text(encoding="utf-8"))["bytes"])
    except (OSError, ValueError, KeyError):
        return 0


def _disk_bytes(folder: Path) -> int:
    """Return the blocks that a tree takes on disk, each hard-linked file counted once."""
    seen: set[int] = set()
    total = 0
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            status = os.lstat(os.path.join(parent, name))  # noqa: PTH118 – hot: 30,000 files
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                total += status.st_blocks * 512
    return total
