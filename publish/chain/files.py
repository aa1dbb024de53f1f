"""Looks at each file of tuf/ in a tree that can be listed: somebody must vouch for every byte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization.json import JSONSerializer

from publish.chain.client import Chain
from publish.chain.names import FOLDER, TIMESTAMP
from publish.chain.store import LIMIT_BYTES
from publish.checksums import Sum
from publish.folder import UnusableError
from publish.source import LocalTree

_VERSIONED = re.compile(rf"{FOLDER}/(?P<version>[0-9]+)\.(?P<role>[^/]+)\.json")
_TOP = ("targets", "snapshot", "timestamp")
_INDEX = re.compile(rf"{FOLDER}/index/(?P<role>[^/]+)\.[0-9]+\.json")


def check_files(
    tree: LocalTree, paths: Sequence[str], chain: Chain | None, bootstrap: bytes,
) -> Iterator[tuple[str, str]]:
    """Yield each file of tuf/ that is not as it must be, and why. Without a chain nothing is known.

    bootstrap: the root that the reader began with. The client has verified the newest of each role,
    but takes any spelling, and ignores signatures that it does not need. Older files, which stay
    for a while, must be signed by a key that their role has today.
    """
    if chain is None:
        return
    roots = _roots(tree, paths)
    for name in sorted(_needed(chain, bootstrap) - set(paths)):
        yield name, "it is missing"  # who has seen it before would not ask for it
    vouched = {target.hashes.get("sha256") for target in chain.targets.values()}
    indexes: list[str] = []
    for path in sorted(paths):
        if _INDEX.fullmatch(path):
            indexes.append(path)
            continue
        match = _VERSIONED.fullmatch(path)
        if match is None and path != f"{FOLDER}/{TIMESTAMP}":
            yield path, "it is not part of the chain of trust"
            continue
        try:
            content = _content(tree, path)
            metadata = Metadata.from_bytes(content)
            if metadata.to_bytes(JSONSerializer()) != content:
                raise ValueError("it is spelled in another way")
            role = match["role"] if match else "timestamp"
            if match and metadata.signed.version != int(match["version"]):
                raise ValueError(f"it says that it is version {metadata.signed.version}")
            if isinstance(metadata.signed, Root):
                _check_root(metadata, content, chain, bootstrap, roots)
            else:
                by = chain.root if role in _TOP else chain.top
                _check_signatures(metadata, role, [by])
        except UnusableError as error:
            yield path, str(error)
            continue
        except Exception as error:  # the library raises what its parsers raise
            yield path, f"it is not what its keys signed: {str(error)[:200]}"
            continue
        if isinstance(metadata.signed, Targets):
            vouched |= {target.hashes.get("sha256") for target in metadata.signed.targets.values()}
    for path in indexes:
        try:
            if Sum.of(_content(tree, path)).sha256 not in vouched:
                yield path, "no role vouches for it"
        except UnusableError as error:
            yield path, str(error)


def _needed(chain: Chain, bootstrap: bytes) -> set[str]:
    """Return what a reader needs who begins with that root and has seen nothing before."""
    first = Metadata[Root].from_bytes(bootstrap).signed.version
    names = {f"{version}.root.json" for version in range(first, chain.root.version + 1)}
    names |= {f"{chain.timestamp.snapshot_meta.version}.snapshot.json",
              f"{chain.top.version}.targets.json"}
    names |= {f"{role.version}.{name}.json" for name, role in chain.roles.items()}
    return {f"{FOLDER}/{name}" for name in names}


def _roots(tree: LocalTree, paths: Sequence[str]) -> dict[int, Root]:
    found = {}
    for path in paths:
        match = _VERSIONED.fullmatch(path)
        if match is not None and match["role"] == "root":
            with suppress(Exception):  # it is reported when its turn comes
                found[int(match["version"])] = Metadata[Root].from_bytes(
                    _content(tree, path)).signed
    return found


def _check_root(
    metadata: Metadata[Any], content: bytes, chain: Chain, bootstrap: bytes,
    roots: dict[int, Root],
) -> None:
    version = metadata.signed.version
    if version > chain.root.version:
        raise ValueError("the root before it does not lead to it")
    if version == Metadata[Root].from_bytes(bootstrap).signed.version and content != bootstrap:
        raise ValueError("it is not the root that you begin with")
    before = roots.get(version - 1)
    _check_signatures(metadata, "root", [metadata.signed, *([before] if before else [])])


def _check_signatures(metadata: Metadata[Any], role: str, judges: list[Root | Targets]) -> None:
    """Raise when a judge finds too few signatures, or nobody knows one that is there."""
    good: set[str] = set()
    for judge in judges:
        judge.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        good |= set(judge.get_verification_result(
            role, metadata.signed_bytes, metadata.signatures).signed)
    if unknown := set(metadata.signatures) - good:
        raise ValueError(f"it has a signature that proves nothing, by {min(unknown)[:16]}")


def _content(tree: LocalTree, path: str) -> bytes:
    content = b""
    for piece in tree.stream(path):
        content += piece
        if len(content) > LIMIT_BYTES:
            raise UnusableError(f"it is larger than {LIMIT_BYTES} bytes, which is not read")
    return content
