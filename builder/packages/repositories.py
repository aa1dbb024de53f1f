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
from images.record import Upstream
from images.release import Release, SigningKey

_INDEX = "repodata/repomd.xml"


@dataclass(frozen=True)
class Source:
    """A repository as it is named.

    urls: where it may be, tried in this order, those of this host apart: before all others, if it
    starts with one, else after them. mirrors: kind ("mirrorlist", "metalink") and URL of a list
    that names more. cost: dnf's, the cheaper one wins; None: dnf's own 1000.
    included, excluded: globs of the packages that it may or may not give.
    with_groups: whether its package groups count. where: the line that names it (file:line).
    key: its own, which signs its packages and no others; None: the release's. unsigned: somebody
    has allowed that nobody vouches for its packages. upstream: what CentOS says of its content.
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
    key: SigningKey | None = None
    unsigned: bool = False
    upstream: Upstream = "accepted"


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
    key: SigningKey | None = None
    unsigned: bool = False
    upstream: Upstream = "accepted"
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
        source.excluded, source.with_groups, source.connection, source.where, source.key,
        source.unsigned, source.upstream, *(() if is_near(url) else (content, signature)))


def trusted_key(release: Release, variables: Mapping[str, str], folder: Path) -> Path:
    """Return a file with the release's public key and nothing else.

    Only the fingerprint makes it trusted. A rehearsal's key is made on this host, so there the
    file itself is; no other goes without a fingerprint.
    folder: where fetched keys are kept. Raises RemoteError when the key can't be had, InputError
    when the file is not exactly the key that the release names.
    """
    return _kept(release.key, "the release", "the release trusts", variables,
                 folder, is_rehearsal=release.rehearsal)


def own_keys(
    sources: Sequence[Source], release: Release, variables: Mapping[str, str], folder: Path,
) -> dict[str, Path | None]:
    """Return the keys of the repositories that have one of their own; None: nobody vouches.

    Raises what trusted_key() raises, with the line that names the repository.
    """
    keys: dict[str, Path | None] = {}
    for source in sources:
        if source.unsigned:
            keys[source.id] = None
        elif source.key is not None:
            owner = f"repository '{source.id}'"
            try:
                keys[source.id] = _kept(source.key, owner, f"{owner} is trusted by", variables,
                                        folder, is_rehearsal=release.rehearsal)
            except RemoteError as error:
                raise RemoteError(f"the key of {owner} can't be had",
                                  where=source.where or error.where, remedy=error.remedy,
                                  why=f"{error.where}: {error.why}") from error
            except InputError as error:
                raise InputError(error.what, where=source.where or error.where,
                                 why=f"{error.where}: {error.why}", remedy=error.remedy) from error
    return keys


def key_texts(
    places: Mapping[str, str], keys: Mapping[str, Path | None],
) -> dict[str, str]:
    """Return the keys of repositories by the places that they are to have in an image."""
    return {place: kept.read_text(encoding="ascii") for place, name in places.items()
            if (kept := keys.get(name))}


def _kept(
    signing: SigningKey, owner: str, trusted: str, variables: Mapping[str, str], folder: Path, *,
    is_rehearsal: bool,
) -> Path:
    url = signing.url.format_map(variables)
    if signing.fingerprint is None and not (is_rehearsal and is_near(url)):
        raise InputError(f"{owner} names no fingerprint of its key", where=url,
                         why="anybody's key would do",
                         remedy="add `fingerprint` to `key` in its file")
    key = only_key(fetch(url), url, signing.fingerprint, trusted)
    path = folder / f"{hashlib.sha256(key.armoured.encode()).hexdigest()}.asc"
    if not path.is_file() or path.read_text(encoding="ascii", errors="replace") != key.armoured:
        write_atomically(path, key.armoured)
    return path
