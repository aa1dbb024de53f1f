"""Makes the whole new content of a release folder in the workshop: links, copies, signatures.

Files that stay are hard links. What is new, and each name whose content changes, gets the time of
this change of the folder (Index.updated), which no earlier one had: rsync, web servers and caches
tell two contents of a name by size and time alone.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from host.beneath.root import Root
from host.beneath.walk import NOT_THERE
from host.errors import InputError
from host.files import sync_path
from host.progress import Progress
from publish import checksums
from publish.checksums import MAX_SUM_BYTES, Sum
from publish.copy import copy_hashed
from publish.current import Current
from publish.folder import UnusableError, opened
from publish.merge import Merged
from publish.model import (
    CHECKSUM,
    INDEX,
    INDEX_SIGNATURE,
    SUM_SUFFIX,
    Index,
    PublishedFile,
    epoch,
)
from publish.sign import Signer

STEP = "publish"


@dataclass
class Copied:
    """Adds up the bytes of all files for whoever watches."""

    progress: Progress
    done_bytes: int = 0

    def add(self, count: int, name: str) -> None:
        """Count some bytes of a file."""
        self.done_bytes += count
        self.progress.advance(STEP, self.done_bytes, name)


def fill(
    staging: Path, root: Path, index: Index, merged: Merged, current: Current, signer: Signer,
    copied: Copied,
) -> None:
    """Make in `staging` the folder that `index` describes, signed and flushed to its disk.

    Raises InputError for a file that is not as its build or the index says, OSError.
    """
    work = _Filling(staging, root, index, merged, current, epoch(index.updated), copied)
    work.payload()
    sums = artefact_sums(index)
    for name in sorted(sums):
        work.checksum_file(name, checksums.render({name: sums[name]}))
    text, listing = texts(index)
    work.write(INDEX, text.encode())
    work.write(INDEX_SIGNATURE, signer.detached(text).encode())
    work.write(CHECKSUM, signer.clear_sign(listing).encode())
    work.flush()


def artefact_sums(index: Index) -> dict[str, Sum]:
    """Return the sums of all artefacts, by each of their names."""
    return {name: Sum(file.size_bytes, file.sha256) for build in index.builds
            for file in build.served for name in (file.file, *file.aliases)}


def texts(index: Index) -> tuple[str, str]:
    """Return the two texts of a folder that are signed: its index, and what CHECKSUM says."""
    text = index.dump()
    sums = artefact_sums(index)
    for build in index.builds:
        for document in build.documents:
            sums[document.file] = Sum(document.size_bytes, document.sha256)
    sums[INDEX] = Sum.of(text.encode())
    return text, checksums.render(sums)


@dataclass
class _Filling:
    staging: Path
    root: Path
    index: Index
    merged: Merged
    current: Current
    time_s: int
    copied: Copied
    fresh: list[Path] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    """The name of a file that was copied just now, by its SHA-256: an equal one is a link to it."""

    def payload(self) -> None:
        """Make artefacts, their aliases and the documents about builds."""
        was = _aliases(self.current.index)
        for build in self.index.builds:
            for file in build.served:
                self._artefact(file)
                for alias in file.aliases:
                    os.link(self.staging / file.file, self.staging / alias)
                if any(was.get(alias) != file.file for alias in file.aliases):
                    # The names share one inode and so one time; that of the dated name may move.
                    os.utime(self.staging / file.file, (self.time_s,) * 2)
            for document in build.documents:
                if document.file in self.merged.records:
                    self.write(document.file, self.merged.records[document.file])
                else:
                    self._keep(document.file)

    def _artefact(self, file: PublishedFile) -> None:
        if file.file not in self.merged.sources:
            self._keep(file.file)
            return
        path = self.staging / file.file
        if (twin := self.made.get(file.sha256)) is not None:
            os.link(self.staging / twin, path)
            self.copied.add(file.size_bytes, file.file)
            return
        _copy(self.merged.sources[file.file], path, file, self.copied)
        path.chmod(0o644)
        os.utime(path, (self.time_s,) * 2)
        self.made[file.sha256] = file.file
        self.fresh.append(path)

    def checksum_file(self, name: str, text: str) -> None:
        """Write the .SHA256SUM of a file, or keep the one there is: its time then stays, too."""
        name += SUM_SUFFIX
        if name in self.current.present:
            try:
                with opened(self.root, self.index.path) as folder:
                    same = folder.read(name, MAX_SUM_BYTES) == text.encode()
            except UnusableError:
                same = False
            if same:
                self._keep(name)
                return
        self.write(name, text.encode())

    def write(self, name: str, content: bytes) -> None:
        """Write a small file that all may read, with the time of this change."""
        path = self.staging / name
        path.write_bytes(content)
        path.chmod(0o644)
        os.utime(path, (self.time_s,) * 2)
        self.fresh.append(path)

    def _keep(self, name: str) -> None:
        target = self.root / self.index.path
        remedy = "publish its build again together with this one, which puts it back"
        try:
            os.link(target / name, self.staging / name, follow_symlinks=False)
        except FileNotFoundError as error:
            raise InputError(f"the published file {name} is missing", where=str(target),
                             remedy=remedy) from error
        status = (self.staging / name).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"the published file {name} is no regular file", where=str(target),
                             remedy=remedy)
        if status.st_mode & 0o444 != 0o444:  # made under another umask
            (self.staging / name).chmod(0o644)

    def flush(self) -> None:
        """Have all that is new on the disk before a reader can see it."""
        for path in self.fresh:
            sync_path(path)
        sync_path(self.staging)


def _aliases(index: Index | None) -> dict[str, str]:
    """Return which file each alias stands for."""
    return {alias: file.file for build in (index.builds if index else []) for file in build.served
            for alias in file.aliases}


def _copy(source: Path, target: Path, file: PublishedFile, copied: Copied) -> None:
    """Copy a new file; raises InputError when it is not what its build made."""
    try:
        origin = Root(source.parent).open(f"/{source.name}")
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
        raise InputError("the artefact is not there", where=str(source), why=error.strerror,
                         remedy="build again") from error
    with origin:
        found = f"{os.fstat(origin.fileno()).st_size} bytes"
        if found == f"{file.size_bytes} bytes":  # else there may be no end to it
            found = copy_hashed(origin, target, lambda count: copied.add(count, source.name))
    if found != file.sha256:
        raise InputError(
            f"{source.name} has changed since it was built", where=str(source),
            why=f"build.json says {file.size_bytes} bytes, {file.sha256}, the file has {found}",
            remedy="ccis store verify --repair, for the store's file may be this very one; "
            "then build again",
        )
