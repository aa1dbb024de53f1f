"""The repositories of a release as they are now: where they answer, what they hold, who signed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.packages.mirrors import DIRECT, Connection, listed
from builder.packages.mirrors import fetch as fetch_over
from host.errors import InputError, RemoteError
from host.fetch import fetch
from host.files import write_atomically
from host.openpgp import only_key
from images.release import Release

__all__ = ["Connection", "Snapshot", "Source", "fetch", "snapshots", "trusted_key"]

_TRIES, _PAUSE_S = 2, 1.0


@dataclass(frozen=True)
class Source:
    """A repository as it is named.

    urls: where it may be, tried in this order. mirrors: kind ("mirrorlist", "metalink") and URL
    of a list that names more. cost: dnf's, the cheaper one wins; None: dnf's own 1000.
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

    @property
    def identity(self) -> tuple[object, ...]:
        """What decides which packages it gives."""
        return (self.id, self.repomd_sha256, self.cost, self.included, self.excluded,
                self.with_groups)


def snapshots(sources: Sequence[Source]) -> list[Snapshot]:
    """Ask each repository for its index, on one mirror after the other.

    Raises RemoteError, with every URL that was tried, when none answers.
    """
    return [_snapshot(source) for source in sources]


def _snapshot(source: Source) -> Snapshot:
    given, digests = list(source.urls), set[str]()
    if source.mirrors:
        more, digests = listed(*source.mirrors, source.connection)
        given += more
    urls = [f"{url.rstrip('/')}/" for url in given]
    failures = []
    for attempt in range(_TRIES):
        for index, url in enumerate(urls):
            try:
                content = fetch_over(f"{url}repodata/repomd.xml", source.connection)
            except RemoteError as error:
                failures.append(f"{error.where}: {error.why}")
                continue
            digest = hashlib.sha256(content).hexdigest()
            if fault := _fault(content, digest, digests):
                failures.append(f"{url}repodata/repomd.xml: {fault}")
                continue
            return Snapshot(
                source.id, (url, *urls[:index], *urls[index + 1:]), digest,
                source.signed_metadata, source.cost, source.included, source.excluded,
                source.with_groups, source.connection,
            )
        if attempt + 1 < _TRIES and not all(url.startswith("file:") for url in urls):
            time.sleep(_PAUSE_S)
    raise RemoteError(
        f"no mirror of repository '{source.id}' answers", where=source.where or urls[0],
        why="; ".join(dict.fromkeys(failures)),
        remedy="check the network and the release's mirrors; for a rehearsal: "
               "`ccis rehearsal create`",
    )


def _fault(content: bytes, digest: str, digests: set[str]) -> str | None:
    """Say what is wrong with an index; digests: those that a metalink vouches for."""
    if b"<repomd" not in content:
        return "is not a repository's index"
    if digests and digest not in digests:
        return "is not the index that the metalink names"
    return None


def trusted_key(release: Release, variables: Mapping[str, str], folder: Path) -> Path:
    """Return a file with the release's public key and nothing else.

    Only the fingerprint makes it trusted. A rehearsal's key is made on this host, so there the
    file itself is; no other release goes without a fingerprint.
    folder: where fetched keys are kept. Raises RemoteError when the key can't be had, InputError
    when the file is not exactly the key that the release names.
    """
    url = release.key.url.format_map(variables)
    if release.key.fingerprint is None and not (release.rehearsal and url.startswith("file:")):
        raise InputError("the release names no fingerprint of its key", where=release.name,
                         why="anybody's key would do",
                         remedy="add `fingerprint` to `key` in the release's file")
    key = only_key(fetch(url), url, release.key.fingerprint, "the release trusts")
    path = folder / f"{hashlib.sha256(key.armoured.encode()).hexdigest()}.asc"
    if not path.is_file() or path.read_text(encoding="ascii", errors="replace") != key.armoured:
        write_atomically(path, key.armoured)
    return path
