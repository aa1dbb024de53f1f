"""Reads what a release folder offers now, and sees that it is the publisher's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host.beneath.root import Root
from host.errors import InputError
from host.progress import Progress
from publish.folder import UnusableError, opened, release_folders
from publish.model import (
    INDEX,
    INDEX_SIGNATURE,
    KEYS,
    Index,
    IndexProblem,
    names_of,
    parse_index,
)
from publish.sign import MAX_KEY_BYTES, Signer
from publish.trust import SignatureError, keyring

MAX_INDEX_BYTES = 64 << 20


@dataclass(frozen=True)
class Current:
    """A release folder as it is. present: the names of the regular files that are really in it."""

    index: Index | None
    present: frozenset[str]


def read_current(
    root: Path, path: str, signer: Signer, progress: Progress, *, replace_key: bool,
) -> Current:
    """Return what the folder `path` offers; raise InputError when it is not a folder of ours.

    Its signature is judged by the time at which it was made: a key that has expired since then was
    good. replace_key: another key than the signer's, also a revoked one, may have made it.
    """
    target = root / path
    index_file = target / INDEX
    if not Root(root).exists(f"/{path}", follow=False):
        return Current(None, frozenset())
    try:
        with opened(root, path) as folder:
            files, others = folder.entries()
            if not files and not others:
                return Current(None, frozenset())
            if INDEX not in files:
                raise UnusableError(others.get(INDEX, "it is not there"))
            content = folder.read(INDEX, MAX_INDEX_BYTES)
            signature = folder.read(INDEX_SIGNATURE, MAX_KEY_BYTES)
        index = parse_index(content)
    except UnusableError as error:
        raise InputError("is not a release folder that ccis made", where=str(target),
                         why=f"{INDEX}: {error}", remedy="publish into an empty tree") from error
    except IndexProblem as error:
        raise InputError("is damaged, or not ours", where=str(index_file), why=str(error),
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
            revoked = trusted.own_past(content, signature, revoked_too=replace_key)
    except (SignatureError, UnusableError) as error:
        raise InputError("can't be carried on", where=str(index_file), why=str(error),
                         remedy="`ccis verify` tells what else is not as it was signed") from error
    if revoked:
        progress.say(f"{path}: {index.signing_key}, which signed it, has been revoked; if somebody "
                     "had that key, compare the tree with a copy that you trust")
    _refuse_foreign(target, {*files, *others}, index)
    return Current(index, frozenset(files))


def forget_unused_keys(root: Path) -> None:
    """Remove the public keys that no folder of the tree is signed with any more."""
    used = set()
    for path in release_folders(root, (INDEX,)).folders:
        with opened(root, path) as folder:
            if INDEX in folder.entries()[0]:
                used.add(parse_index(folder.read(INDEX, MAX_INDEX_BYTES)).signing_key)
    place = Root(root)
    for name in place.names(f"/{KEYS}"):
        if name.endswith(".asc") and name.removesuffix(".asc") not in used:
            place.remove(f"/{KEYS}/{name}")


def _published_key(root: Path, fingerprint: str) -> bytes:
    with opened(root, KEYS) as keys:
        return keys.read(f"{fingerprint}.asc", MAX_KEY_BYTES)


def _refuse_foreign(target: Path, names: set[str], index: Index) -> None:
    """Never take away what somebody put into the folder: the exchange would."""
    foreign = sorted(names - names_of(index))
    if foreign:
        raise InputError(f"{foreign[0]} is in the release folder and not part of the release",
                         where=str(target / foreign[0]), remedy="move it elsewhere")
