"""The repositories of a release as they are now: where they answer, what they hold, who signed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from builder.packages.causes import Cause
from builder.packages.connection import DIRECT, Connection
from builder.packages.transfer import PATIENCE, ask, fetch, is_near, log, shortened
from host import fetch as plain
from host.errors import InputError, RemoteError
from host.files import write_atomically
from host.openpgp import only_key
from host.patience import Patience
from host.scratch import scratch_folder
from images.release import Release

_INDEX = "repodata/repomd.xml"


@dataclass(frozen=True)
class Source:
    """A repository as it is named.

    urls: where it may be, tried in this order, those of this host apart: before all others, if it
    starts with one, else after them. mirrors: kind ("mirrorlist", "metalink") and URL of a list
    that names more. cost: dnf's, the cheaper one wins; None: dnf's own 1000.
    included, excluded: globs of the packages that it may or may not give.
    with_groups: whether its package groups count. where: the line that names it (file:line).
    """

    id: str
    urls: tuple[str, ...]
    mirrors: tuple[str, str] | None = None
    signed_metadata: bool = False
    cost: int | None = None
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    with_groups: bool = True
    connection: Connection = DIRECT
    where: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A repository at one moment: the mirror that answered first, the others, its identity.

    index, signature: repomd.xml and repomd.xml.asc of a repository on another host.
    The other fields are the source's.
    """

    id: str
    urls: tuple[str, ...]
    repomd_sha256: str
    signed_metadata: bool
    cost: int | None = None
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    with_groups: bool = True
    connection: Connection = DIRECT
    where: str = ""
    index: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)

    @property
    def identity(self) -> tuple[object, ...]:
        """What decides which packages it gives."""
        return (self.id, self.repomd_sha256, self.cost, self.included, self.excluded,
                self.with_groups)

    @property
    def is_near(self) -> bool:
        """Whether it lies on this host."""
        return is_near(self.urls[0])

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"repository '{self.id}'"


def snapshots(
    sources: Sequence[Source], patience: Patience = PATIENCE,
    say: Callable[[str], None] = log.warning,
) -> list[Snapshot]:
    """Ask each repository for its index, on one mirror after the other.

    say: is told of a mirror that is asked again.
    Raises RemoteError, with every URL that was tried and why it was not taken, when none is good.
    """
    first = {source.id: _on_this_host(source) for source in sources
             if source.urls and is_near(source.urls[0])}
    distant = [source for source in sources if not isinstance(first.get(source.id), Snapshot)
               and (source.mirrors or not all(map(is_near, source.urls)))]
    second = _on_other_hosts(distant, patience, say) if distant else {}
    last = {source.id: _on_this_host(source) for source in distant
            if source.id not in first and not isinstance(second[source.id], Snapshot)}
    taken = []
    for source in sources:
        tries = [each[source.id] for each in (first, second, last) if source.id in each]
        good = [one for one in tries if isinstance(one, Snapshot)]
        if not good:
            raise _nowhere(source, [cause for one in tries if not isinstance(one, Snapshot)
                                    for cause in one])
        taken.append(good[0])
    return taken


def _nowhere(source: Source, causes: Sequence[Cause]) -> RemoteError:
    remedies = dict.fromkeys(cause.remedy for cause in causes)
    if any(is_near(cause.url) for cause in causes):
        remedies["for a rehearsal: `ccis rehearsal create`"] = None
    named = source.urls or (source.mirrors or ("", ""))[1:]
    return RemoteError(
        f"no mirror of repository '{source.id}' answers", where=source.where or named[0],
        why=shortened(causes), remedy="; ".join(remedies))


def _on_this_host(source: Source) -> Snapshot | list[Cause]:
    causes = []
    for url in source.urls:
        if not is_near(url):
            continue
        whole = f"{url.rstrip('/')}/{_INDEX}"
        try:
            content = plain.fetch(whole)
        except RemoteError as error:
            causes.append(Cause(whole, f"can't be read: {error.why}", "final", "check the path"))
            continue
        if b"<repomd" not in content:
            causes.append(Cause(whole, "is not a repository's index", "final", "check the path"))
            continue
        return _snapshot(source, f"{url.rstrip('/')}/", source.urls, content)
    return causes


def _on_other_hosts(
    sources: Sequence[Source], patience: Patience, say: Callable[[str], None],
) -> dict[str, Snapshot | list[Cause]]:
    """Ask for the indexes of repositories, in one process for all of them."""
    found: dict[str, Snapshot | list[Cause]] = {}
    with scratch_folder("transfer") as folder:
        asked = []
        for number, source in enumerate(sources):
            place = folder / str(number)
            place.mkdir()
            asked.append({
                "id": source.id, "urls": [url for url in source.urls if not is_near(url)],
                "mirrors": source.mirrors, "is_signed": source.signed_metadata,
                "folder": str(place), "connection": asdict(source.connection),
                "limit_bytes": plain.LIMIT_BYTES})
        answer = ask({"mode": "indexes", "sources": asked}, folder,
                     [source.connection for source in sources], patience, say=say)
        for number, (source, said) in enumerate(zip(sources, answer["found"], strict=True)):
            if not said["urls"]:
                found[source.id] = [Cause(**cause) for cause in said["causes"]]
                continue
            texts = [plain.fetch((folder / str(number) / name).as_uri()) for name in
                     ("repomd.xml", *(("repomd.xml.asc",) if source.signed_metadata else ()))]
            found[source.id] = _snapshot(source, said["urls"][0], said["urls"], *texts)
    return found


def _snapshot(
    source: Source, url: str, urls: Sequence[str], content: bytes, signature: bytes = b"",
) -> Snapshot:
    whole = [f"{one.rstrip('/')}/" for one in urls]
    return Snapshot(
        source.id, (url, *(one for one in whole if one != url)),
        hashlib.sha256(content).hexdigest(), source.signed_metadata, source.cost, source.included,
        source.excluded, source.with_groups, source.connection, source.where,
        *(() if is_near(url) else (content, signature)))


def trusted_key(release: Release, variables: Mapping[str, str], folder: Path) -> Path:
    """Return a file with the release's public key and nothing else.

    Only the fingerprint makes it trusted. A rehearsal's key is made on this host, so there the
    file itself is; no other release goes without a fingerprint.
    folder: where fetched keys are kept. Raises RemoteError when the key can't be had, InputError
    when the file is not exactly the key that the release names.
    """
    url = release.key.url.format_map(variables)
    if release.key.fingerprint is None and not (release.rehearsal and is_near(url)):
        raise InputError("the release names no fingerprint of its key", where=release.name,
                         why="anybody's key would do",
                         remedy="add `fingerprint` to `key` in the release's file")
    key = only_key(fetch(url), url, release.key.fingerprint, "the release trusts")
    path = folder / f"{hashlib.sha256(key.armoured.encode()).hexdigest()}.asc"
    if not path.is_file() or path.read_text(encoding="ascii", errors="replace") != key.armoured:
        write_atomically(path, key.armoured)
    return path
