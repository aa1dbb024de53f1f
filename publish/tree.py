"""Publishes builds into a release tree: a folder per release and architecture, changed at once.

A folder is made anew beside the old one – files that stay are hard links, the rest is copied and
checked – then signed, flushed to disk and exchanged with the old one in a single step. A reader
sees the old state or the new; a publisher that dies leaves the old one.

    root/keys/<fingerprint>.asc                                    the public key
    root/centos/10-stream/x86_64/images/CHECKSUM                   clear-signed sizes and SHA-256
                                       /index.json, index.json.asc the same and more, for programs
                                       /CentOS-Stream-…            images, their -latest twins,
                                                                   .SHA256SUM and .build.json
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from host.beneath.root import Root
from host.beneath.walk import NOT_THERE
from host.errors import InputError, from_os_error
from host.files import staged_directory
from host.locks import locked
from host.progress import Progress
from publish import checksums
from publish.checksums import Sum
from publish.copy import copy_hashed
from publish.folder import UnusableError, opened, release_folders
from publish.merge import Build, Merged, merge, read_build
from publish.model import (
    CHECKSUM,
    INDEX,
    INDEX_SIGNATURE,
    KEYS,
    SUM_SUFFIX,
    Index,
    published_epoch,
)
from publish.sign import MAX_KEY_BYTES, Signer, publish_key
from publish.trust import SignatureError, keyring

LOCK = ".publish.lock"
_MAX_INDEX_BYTES = 64 << 20
_STEP = "publish"


@dataclass(frozen=True)
class PublishedFolder:
    """A folder of the tree after a publication.

    changed: False when it held exactly this already, and was left alone. added: the names of the
    new files. removed: the names of the builds that were pruned.
    """

    path: Path
    changed: bool
    builds: list[str]
    added: list[str]
    removed: list[str]


@dataclass(frozen=True)
class Publication:
    """What a publication did. key: the file with the public key."""

    root: Path
    fingerprint: str
    key: Path
    folders: list[PublishedFolder]


def publish(
    build_folders: Sequence[Path], root: Path, signer: Signer, progress: Progress, *,
    keep: int | None = None, formats: Collection[str] | None = None, replace_key: bool = False,
) -> Publication:
    """Publish builds into the release tree at `root`, which is made if need be.

    keep: so many of the newest builds of each flavour stay in the folders that change; None: all.
    formats: publish these artefacts alone. replace_key: go on with another key than the one that
    signed the folder so far.

    Raises InputError for a bad build, a file that changed since its build, a file published
    before with another content, or a folder that is not as its index says; HostError when
    signing or writing fails. Whatever it raises, the tree is as it was.
    """
    if keep is not None and keep < 1:
        raise InputError("--keep must be 1 or more", where=f"--keep {keep}")
    builds = [read_build(folder, formats) for folder in build_folders]
    _refuse_doubles(builds)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for path in (LOCK, KEYS, *sorted({build.public_path for build in builds})):
            _refuse_links(root, path)
        with locked(root / LOCK):
            return _publish(builds, root, signer, progress, keep, replace_key)
    except OSError as error:
        raise from_os_error(error, f"publishing into {root}") from error


def _refuse_links(root: Path, path: str) -> None:
    """Raise InputError when a link is on the way: what is published stays below the root."""
    place = Root(root)
    for each in (Path(path), *Path(path).parents):
        if each.parts and place.is_link(f"/{each}"):
            raise InputError("it is a symbolic link, which is not followed",
                             where=str(root / each), remedy="put a folder there, or a mount")


def _refuse_doubles(builds: Sequence[Build]) -> None:
    seen: dict[str, Path] = {}
    for build in builds:
        other = seen.setdefault(build.record.name, build.folder)
        if other is not build.folder:
            raise InputError(f"two builds have the name {build.record.name}",
                             where=f"{other} and {build.folder}", remedy="publish one of them")


def _publish(
    builds: Sequence[Build], root: Path, signer: Signer, progress: Progress, keep: int | None,
    replace_key: bool,
) -> Publication:
    paths = sorted({build.public_path for build in builds})
    plans: list[_Plan] = []
    for path in paths:
        target = root / path
        _remove_leftovers(root, path)
        current, present = _current(root, path, signer, replace_key)
        members = [build for build in builds if build.public_path == path]
        merged = merge(path, current, present, members, signer.fingerprint, keep)
        changed = current != merged.index or not _names(merged.index) <= present
        plans.append(_Plan(target, merged, changed))
    total_bytes = sum(file.size_bytes for plan in plans for build in plan.merged.index.builds
                      for file in build.files if file.file in plan.merged.sources)
    progress.start(_STEP, total_bytes, "bytes")
    changing = [plan for plan in plans if plan.changed]
    key = publish_key(signer, root, KEYS)
    copied = _Copied(progress)
    with ExitStack() as exchanges:  # all are staged and signed before the first one is exchanged
        for plan in changing:
            staging = exchanges.enter_context(staged_directory(plan.target))
            _fill(staging, plan.target, plan.merged, signer, copied)
    if replace_key:
        _forget_unused_keys(root)
    progress.finish(_STEP, cached=not changing)
    return Publication(root, signer.fingerprint, key, [
        PublishedFolder(plan.target, plan.changed,
                        [build.name for build in plan.merged.index.builds],
                        sorted(plan.merged.sources), plan.merged.removed)
        for plan in plans
    ])


@dataclass(frozen=True)
class _Plan:
    target: Path
    merged: Merged
    changed: bool


class _Copied:
    """Adds up the bytes of all files for whoever watches."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bytes = 0

    def add(self, count: int, name: str) -> None:
        self._bytes += count
        self._progress.advance(_STEP, self._bytes, name)


def _fill(
    staging: Path, target: Path, merged: Merged, signer: Signer, copied: _Copied,
) -> None:
    """Make the whole new folder in `staging`."""
    sums: dict[str, Sum] = {}
    for build in merged.index.builds:
        for file in build.files:
            if file.file in merged.sources:
                _copy(merged.sources[file.file], staging / file.file, file.size_bytes, file.sha256,
                      copied)
                # The build's time: a web server's Last-Modified is then the same everywhere.
                os.utime(staging / file.file, (published_epoch(build),) * 2)
            else:
                _keep(target, staging, file.file)
            sums[file.file] = Sum(file.size_bytes, file.sha256)
            if file.latest_file is not None:
                os.link(staging / file.file, staging / file.latest_file)
                sums[file.latest_file] = sums[file.file]
        if build.record.file in merged.records:
            (staging / build.record.file).write_bytes(merged.records[build.record.file])
        else:
            _keep(target, staging, build.record.file)
    for name, each in sums.items():
        (staging / (name + SUM_SUFFIX)).write_text(checksums.render({name: each}))
    for build in merged.index.builds:
        sums[build.record.file] = Sum(build.record.size_bytes, build.record.sha256)
    text = merged.index.dump()
    (staging / INDEX).write_text(text)
    (staging / INDEX_SIGNATURE).write_text(signer.detached(text))
    sums[INDEX] = Sum.of(text.encode())
    (staging / CHECKSUM).write_text(signer.clear_sign(checksums.render(sums)))


def _copy(source: Path, target: Path, size_bytes: int, sha256: str, copied: _Copied) -> None:
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
        if found == f"{size_bytes} bytes":  # else there may be no end to it
            found = copy_hashed(origin, target, lambda count: copied.add(count, source.name))
    if found != sha256:
        raise InputError(
            f"{source.name} has changed since it was built", where=str(source),
            why=f"build.json says {size_bytes} bytes, {sha256}, the file has {found}",
            remedy="build again",
        )
    target.chmod(0o644)


def _keep(target: Path, staging: Path, name: str) -> None:
    try:
        os.link(target / name, staging / name, follow_symlinks=False)
        is_file = stat.S_ISREG((staging / name).lstat().st_mode)
    except FileNotFoundError as error:
        raise InputError(f"the published file {name} is missing", where=str(target),
                         remedy="publish its build again together with this one, which puts it "
                         "back") from error
    if not is_file:
        raise InputError(f"the published file {name} is no regular file", where=str(target),
                         remedy="publish its build again together with this one, which puts it "
                         "back")


def _current(
    root: Path, path: str, signer: Signer, replace_key: bool,
) -> tuple[Index | None, set[str]]:
    """Return what the folder offers now, and the names of the regular files that are in it.

    Raises InputError when it is not a folder of ours.
    """
    target = root / path
    index_file = target / INDEX
    if not Root(root).exists(f"/{path}", follow=False):
        return None, set()
    try:
        with opened(root, path) as folder:
            files, others = folder.entries()
            if not files and not others:
                return None, set()
            if INDEX not in files:
                raise UnusableError(others.get(INDEX, "it is not there"))
            content = folder.read(INDEX, _MAX_INDEX_BYTES)
            signature = folder.read(INDEX_SIGNATURE, MAX_KEY_BYTES)
        index = Index.model_validate_json(content)
    except UnusableError as error:
        raise InputError("is not a release folder that ccis made", where=str(target),
                         why=f"{INDEX}: {error}", remedy="publish into an empty tree") from error
    except ValidationError as error:
        raise InputError("is damaged", where=str(index_file), why=str(error.errors()[0]["msg"]),
                         remedy="`ccis verify` tells what else is") from error
    if index.path != path:
        raise InputError(f"is the index of another folder: {index.path}", where=str(index_file))
    if index.signing_key != signer.fingerprint and not replace_key:
        raise InputError(
            f"the folder is signed by another key: {index.signing_key}", where=str(target),
            remedy=f"sign with that one, or publish with --replace-key to go on with "
            f"{signer.fingerprint}; readers who pinned the old key must then be told",
        )
    # What is carried over gets our signature: first see that it had one.
    try:
        key = (signer.public_key().encode() if index.signing_key == signer.fingerprint
               else _published_key(root, index.signing_key))
        with keyring(key, index.signing_key) as trusted:
            trusted.detached(content, signature)
    except (SignatureError, UnusableError) as error:
        raise InputError("was changed since it was signed", where=str(index_file), why=str(error),
                         remedy="`ccis verify` tells what else was") from error
    _refuse_foreign(target, {*files, *others}, index)
    return index, set(files)


def _published_key(root: Path, fingerprint: str) -> bytes:
    with opened(root, KEYS) as keys:
        return keys.read(f"{fingerprint}.asc", MAX_KEY_BYTES)


def _refuse_foreign(target: Path, names: set[str], index: Index) -> None:
    """Never take away what somebody put into the folder: the exchange would."""
    foreign = sorted(names - _names(index))
    if foreign:
        raise InputError(f"{foreign[0]} is in the release folder and not part of the release",
                         where=str(target / foreign[0]), remedy="move it elsewhere")


def _names(index: Index) -> set[str]:
    """Return the names of all files in the folder of an index."""
    names = {INDEX, INDEX_SIGNATURE, CHECKSUM}
    for build in index.builds:
        names.add(build.record.file)
        for file in build.files:
            for name in filter(None, (file.file, file.latest_file)):
                names |= {name, name + SUM_SUFFIX}
    return names


def _remove_leftovers(root: Path, path: str) -> None:
    """Remove what a publisher left that was killed; nobody else is at work under the lock."""
    above, _, last = path.rpartition("/")
    place = Root(root)
    for name in place.names(f"/{above}"):
        if name.startswith(f".{last}."):
            place.remove(f"/{above}/{name}")


def _forget_unused_keys(root: Path) -> None:
    used = set()
    for path in release_folders(root, (INDEX,))[0]:
        with opened(root, path) as folder:
            if INDEX in folder.entries()[0]:
                content = folder.read(INDEX, _MAX_INDEX_BYTES)
                used.add(Index.model_validate_json(content).signing_key)
    place = Root(root)
    for name in place.names(f"/{KEYS}"):
        if name.endswith(".asc") and name.removesuffix(".asc") not in used:
            place.remove(f"/{KEYS}/{name}")
