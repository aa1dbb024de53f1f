"""Gathers the indexes that the chain of trust shall vouch for, each of them shown to be our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Targets

from host.errors import InputError
from host.progress import Progress
from publish.chain.names import role_of
from publish.chain.store import Store
from publish.checksums import Sum
from publish.current import MAX_INDEX_BYTES, read_current
from publish.folder import UnusableError, opened, release_folders
from publish.model import INDEX, Index, IndexProblem, parse_index
from publish.sign import Signer


def gather(
    root: Path, planned: Mapping[str, Index], signer: Signer | None, progress: Progress,
) -> dict[str, Index]:
    """Return the index of each folder of the tree, as it shall be, by path.

    planned: those that are about to change. Another one counts when the chain vouches for it
    already or it has our own signature: whoever can write into the tree could put a folder there.
    signer: our key; None: it is not at hand. Raises InputError for a folder of which neither is
    true.
    """
    found = dict(planned)
    for path in release_folders(root, (INDEX,)).folders:
        if path in found:
            continue
        try:
            with opened(root, path) as folder:
                content = folder.read(INDEX, MAX_INDEX_BYTES)
            if _vouched(Store(root), path, content):
                found[path] = parse_index(content)
                continue
        except (UnusableError, IndexProblem) as error:
            raise InputError("is no release folder", where=str(root / path), why=str(error),
                             remedy="`ccis verify` tells more; move it out of the tree") from error
        if signer is None:
            raise InputError("the chain of trust does not vouch for the folder yet",
                             where=str(root / path), remedy="publish into it, or give the key "
                             "that the tree is signed with")
        index = read_current(root, path, signer, progress, replace_key=False).index
        if index is not None:
            found[path] = index
    return found


def _vouched(store: Store, path: str, content: bytes) -> bool:
    top, role = store.newest("targets", Targets), store.newest(role_of(path), Targets)
    if top is None or role is None:
        return False
    try:
        store.trusted_root().verify_delegate("targets", top)
        top.verify_delegate(role_of(path), role)
    except (RepositoryError, ValueError):
        return False
    digest = Sum.of(content).sha256
    return any(target.hashes.get("sha256") == digest
               and (target.unrecognized_fields.get("custom") or {}).get("path") == path
               for target in role.signed.targets.values())
