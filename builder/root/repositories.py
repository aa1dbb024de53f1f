"""The repositories of a release as they are now: where they answer, what they hold, who signed."""

from __future__ import annotations

import hashlib
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError, RemoteError
from host.files import write_atomically
from host.run import run
from images.release import Release, Repository, SigningKey

TIMEOUT_S = 20
_TRIES, _PAUSE_S = 2, 1.0
_MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Snapshot:
    """A repository at one moment: the mirror that answered first, the others, its identity."""

    id: str
    urls: tuple[str, ...]
    repomd_sha256: str
    signed_metadata: bool


def snapshots(
    repositories: Sequence[Repository], variables: Mapping[str, str],
) -> list[Snapshot]:
    """Ask each repository for its index, on one mirror after the other.

    variables: what `{arch}` and `{rehearsal}` in a URL stand for.
    Raises RemoteError, with every URL that was tried, when none answers.
    """
    return [_snapshot(repository, variables) for repository in repositories]


def _snapshot(repository: Repository, variables: Mapping[str, str]) -> Snapshot:
    urls = [url.format_map(variables).rstrip("/") + "/" for url in repository.mirrors]
    failures = []
    for attempt in range(_TRIES):
        for index, url in enumerate(urls):
            try:
                content = fetch(f"{url}repodata/repomd.xml")
            except RemoteError as error:
                failures.append(f"{error.where}: {error.why}")
                continue
            if b"<repomd" not in content:
                failures.append(f"{url}repodata/repomd.xml: is not a repository's index")
                continue
            others = urls[:index] + urls[index + 1:]
            return Snapshot(
                repository.id, (url, *others), hashlib.sha256(content).hexdigest(),
                repository.signed_metadata,
            )
        if attempt + 1 < _TRIES and not all(url.startswith("file:") for url in urls):
            time.sleep(_PAUSE_S)
    raise RemoteError(
        f"no mirror of repository '{repository.id}' answers", where=urls[0],
        why="; ".join(dict.fromkeys(failures)),
        remedy="check the network and the release's mirrors; for a rehearsal: "
               "`ccis rehearsal create`",
    )


def fetch(url: str) -> bytes:
    """Return what a URL gives, up to 4 MiB; raises RemoteError with the URL."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 – file: is meant
            content: bytes = answer.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise RemoteError("cannot be fetched", where=url, why=str(reason)) from error
    if len(content) > _MAX_BYTES:
        raise RemoteError("cannot be fetched", where=url, why="the answer is larger than 4 MiB")
    return content


def trusted_key(release: Release, variables: Mapping[str, str], folder: Path) -> Path:
    """Return the release's public key as a file; only the fingerprint makes it trusted.

    folder: where fetched keys are kept. Raises RemoteError when the key can't be had,
    InputError when it is not the key that the release names.
    """
    url = release.key.url.format_map(variables)
    content = fetch(url)
    path = folder / f"{hashlib.sha256(content).hexdigest()}.asc"
    if not path.exists():
        _check_fingerprint(release.key, url, content)
        write_atomically(path, content)
    return path


def _check_fingerprint(key: SigningKey, url: str, content: bytes) -> None:
    if key.fingerprint is None:
        return
    with tempfile.TemporaryDirectory() as home:
        listing = run(
            ["gpg", "--homedir", home, "--batch", "--with-colons", "--show-keys"],
            stdin=content, check=False,
        ).stdout
    found = [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]
    if key.fingerprint not in found[:1]:
        raise InputError(
            "the key is not the one that the release trusts", where=url,
            why=f"expected {key.fingerprint}, found {', '.join(found) or 'no key'}",
            remedy="do not build; find out who serves this key",
        )


def release_repositories(
    release: Release, base_url: str | None, extra: Sequence[tuple[str, str]],
) -> list[Repository]:
    """Return a release's repositories with what a kickstart's `url` and `repo` say.

    base_url: `url --url=` takes the place of the release's own. extra: names and URLs of `repo`.
    """
    chosen = list(release.repositories)
    if base_url:
        chosen = [Repository(id="url", mirrors=[base_url])]
    return chosen + [Repository(id=name, mirrors=[url]) for name, url in extra]
