"""Follows the chain of trust of a tree, as a stranger: from a first root to what each folder has.

It is python-tuf's own client: rollback, freeze and mix-and-match are found by it, against what it
saw of this tree before, which it keeps in a folder of state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, unquote

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Key, Metadata, Root, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from host.errors import InputError
from host.files import read_regular
from host.folders import own_folder
from host.locks import locked
from host.places import cache_folder
from publish.chain.keys import read_public
from publish.chain.names import FOLDER, index_target
from publish.chain.store import LIMIT_BYTES
from publish.folder import UnusableError
from publish.model import Index, IndexProblem, parse_index
from publish.source import MissingError, Source


class ChainError(Exception):
    """The chain breaks. file: where, below the root of the tree. The text says why."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(why)
        self.file = file


@dataclass(frozen=True)
class Chain:
    """What a tree vouches for. roles: the metadata of each folder's role, by name.

    indexes: of each folder, by path. targets: size and SHA-256 of each file, by path. signers: the
    keys that could sign targets under any of the roots so far: provenance is as old as its build.
    """

    root: Root
    top: Targets
    timestamp: Timestamp
    roles: dict[str, Targets]
    indexes: dict[str, Index]
    targets: dict[str, TargetFile] = field(default_factory=dict)
    signers: list[Key] = field(default_factory=list)


class _Fetcher(FetcherInterface):
    def __init__(self, source: Source) -> None:
        self.source = source
        self.last = f"{FOLDER}/timestamp.json"

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = unquote(url.removeprefix("tree:/"))
        self.last = path
        try:
            yield from self.source.stream(path)
        except MissingError as error:
            raise DownloadHTTPError(str(error), 404) from error
        except UnusableError as error:
            raise DownloadError(str(error)) from error


def first_root(source: Source, root_key: Path | None) -> bytes:
    """Return the root metadata to begin with.

    root_key: a root metadata file, or the public key of one of the root's keys, which must then
    have signed the tree's first root; None: the tree's first root is believed (first use).
    Raises InputError for a file that is neither, ChainError when the tree has no such root.
    """
    name = f"{FOLDER}/1.root.json"
    if root_key is not None:
        try:
            content = read_regular(root_key, LIMIT_BYTES)
            is_root = "signed" in json.loads(content)
        except (OSError, ValueError) as error:
            raise InputError("is neither root metadata nor a public key", where=str(root_key),
                             why=str(error)) from error
        if is_root:
            return content
    try:
        found = b"".join(source.stream(name))
    except UnusableError as error:
        raise ChainError(name, str(error)) from error
    if root_key is None:
        return found
    key = read_public(root_key)
    try:
        metadata = Metadata[Root].from_bytes(found)
        if key.keyid not in metadata.signed.roles["root"].keyids:
            raise ChainError(name, f"the key {key.keyid[:16]} is none of its root keys")
        key.verify_signature(metadata.signatures[key.keyid], metadata.signed_bytes)
    except ChainError:
        raise
    except Exception as error:  # the library raises what its parsers raise
        raise ChainError(name, f"the key {key.keyid[:16]} did not sign it") from error
    return found


def state_folder(source: Source, bootstrap: bytes) -> Path:
    """Return where this host remembers what it saw of a tree, by the root it began with."""
    both = hashlib.sha256(bootstrap + b"\0" + source.name.encode()).hexdigest()
    return cache_folder() / "trusted" / both[:32]


def follow(source: Source, bootstrap: bytes, state: Path | None) -> Chain:
    """Return what the tree vouches for.

    bootstrap: first_root(). state: what was seen of it before, brought up to date; None: nothing
    is remembered, and an older state of the tree than one seen before is not told from the newest.
    Raises ChainError.
    """
    if state is None:
        with TemporaryDirectory(prefix="ccis-chain-") as scratch:
            return _follow(source, bootstrap, Path(scratch))
    with locked(state.with_suffix(".lock")):  # what the client keeps there, it has verified
        return _follow(source, bootstrap, own_folder(state))


def _follow(source: Source, bootstrap: bytes, place: Path) -> Chain:
    fetcher = _Fetcher(source)
    config = UpdaterConfig(max_delegations=4096, targets_max_length=LIMIT_BYTES,
                           snapshot_max_length=LIMIT_BYTES, prefix_targets_with_hash=False)
    try:
        updater = Updater(str(place), "tree:/" + FOLDER, None, "tree:/", fetcher, config,
                          bootstrap=bootstrap)
        updater.refresh()
        root = Metadata[Root].from_file(str(place / "root.json")).signed
        stamp = Metadata[Timestamp].from_file(str(place / "timestamp.json")).signed
        top = Metadata[Targets].from_file(str(place / "targets.json")).signed
        roles: dict[str, Targets] = {}
        chain = Chain(root, top, stamp, roles, {})
        for version in range(1, root.version + 1):
            chain.signers.extend(_targets_keys(place / f"root_history/{version}.root.json"))
        delegations = top.delegations
        for role in (delegations.roles or {}).values() if delegations else ():
            path = (role.paths or [""])[0].removesuffix("/*")
            updater.get_targetinfo(f"{path}/-")  # loads and verifies the role, whatever it has
            roles[role.name] = Metadata[Targets].from_file(
                str(place / f"{quote(role.name, '')}.json")).signed
            chain.targets.update(roles[role.name].targets)
            chain.indexes[path] = _index(source, path, roles[role.name])
    except ChainError:
        raise
    except ExpiredMetadataError as error:
        raise ChainError(fetcher.last, f"it has expired: {error}") from error
    except (RepositoryError, DownloadError) as error:
        raise ChainError(fetcher.last, str(error).split("\n")[0][:300]) from error
    except (OSError, ValueError, KeyError) as error:
        raise ChainError(fetcher.last, f"it can't be used: {error}"[:300]) from error
    return chain


def _targets_keys(path: Path) -> list[Key]:
    """Return the keys for targets of a root that the client has seen, none of one that it has not.
    """
    try:
        root = Metadata[Root].from_bytes(read_regular(path, LIMIT_BYTES)).signed
    except FileNotFoundError:
        return []
    return [root.keys[keyid] for keyid in root.roles["targets"].keyids]


def _index(source: Source, path: str, role: Targets) -> Index:
    """Return a folder's index in the copy that its role vouches for."""
    names = [name for name, target in role.targets.items()
             if (target.unrecognized_fields.get("custom") or {}).get("path") == path]
    if len(names) != 1:
        raise ChainError(path, "its role names no index, or several")
    target = role.targets[names[0]]
    try:
        content = b""
        for piece in source.stream(names[0]):
            content += piece
            if len(content) > target.length:
                break
        target.verify_length_and_hashes(content)
        index = parse_index(content)
    except UnusableError as error:
        raise ChainError(names[0], str(error)) from error
    except RepositoryError as error:
        raise ChainError(names[0], f"it is not what its role vouches for: {error}") from error
    except IndexProblem as error:
        raise ChainError(names[0], f"it is no index: {error}") from error
    if index.path != path or index_target(path, index.revision) != names[0]:
        raise ChainError(names[0], f"it is the index of {index.path}, revision {index.revision}")
    return index
