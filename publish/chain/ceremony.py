"""The root of trust: proposed on one host, signed with offline keys on others, then accepted.

A proposal is TUF root metadata in a file, which names keys and nothing else; `ccis trust sign` adds
signatures to it, on as many hosts as there are keys.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization.json import JSONSerializer

from host.beneath import root as beneath
from host.errors import CheckFailedError, InputError
from host.files import read_regular, sync_tree, write_atomically
from host.folders import own_folder
from publish.chain.names import DAYS, FOLDER, TIMESTAMP
from publish.chain.refresh import prepare
from publish.chain.store import LIMIT_BYTES, Store
from publish.model import Index, epoch, moment
from publish.workshop import Workshop

ROLES = ("root", "targets", "snapshot", "timestamp")


def first(keys: Mapping[str, Sequence[Key]], threshold: int, at: str) -> Metadata[Root]:
    """Return an unsigned first root; keys: by role, of each at least one; threshold: of the root.

    Raises InputError for a role without a key, or a threshold that can't be reached.
    """
    root = Root(consistent_snapshot=True, expires=_expiry(at))
    for role in ROLES:
        if not keys.get(role):
            raise InputError(f"the role {role} has no key", where="the command line",
                             remedy=f"give --{role}-key FILE.pub")
        for key in keys[role]:
            root.add_key(key, role)
    _set_threshold(root, threshold)
    return Metadata(root)


def following(
    current: Metadata[Root], add: Sequence[tuple[str, Key]], remove: Sequence[str], at: str,
    threshold: int | None = None,
) -> Metadata[Root]:
    """Return the unsigned root after `current`: with other keys, or only with more time.

    add: roles and keys. remove: key ids (or their beginnings), out of all roles: revocation.
    Raises InputError for a key that is not there, or a role that would have none left.
    """
    root = Metadata.from_bytes(current.to_bytes()).signed
    assert isinstance(root, Root)
    root.version += 1
    root.expires = _expiry(at)
    for role, key in add:
        root.add_key(key, role)
    for start in remove:
        found = [keyid for keyid in root.keys if keyid.startswith(start)]
        if len(found) != 1 or len(start) < 8:
            raise InputError(f"{start} names {len(found)} keys of the root", where="--remove",
                             remedy="there are: " + ", ".join(root.keys))
        for role in ROLES:
            if found[0] in root.roles[role].keyids:
                root.revoke_key(found[0], role)
    _set_threshold(root, threshold or root.roles["root"].threshold)
    for role in ROLES:
        if len(root.roles[role].keyids) < root.roles[role].threshold:
            raise InputError(f"the role {role} would have too few keys", where="--remove",
                             remedy=f"add another in the same step: --add {role}=FILE.pub")
    return Metadata(root)


def write_proposal(proposal: Metadata[Root], path: Path) -> None:
    """Write a proposal, signed so far or not."""
    write_atomically(path, proposal.to_bytes(JSONSerializer(compact=False)))


def read_proposal(path: Path) -> Metadata[Root]:
    """Return a proposal from its file; raises InputError for what is none."""
    try:
        metadata: Metadata[Root] = Metadata.from_bytes(read_regular(path, LIMIT_BYTES))
    except OSError as error:
        raise InputError("can't be read", where=str(path), why=error.strerror) from error
    except Exception as error:  # the library raises what its parsers raise
        raise InputError("is not a proposed root", where=str(path), why=str(error)[:200],
                         remedy="`ccis trust init` and `rotate` make one") from error
    if not isinstance(metadata.signed, Root):
        raise InputError("is not a proposed root", where=str(path))
    return metadata


def sign(proposal: Metadata[Root], signers: Mapping[str, CryptoSigner]) -> None:
    """Add signatures by these keys, also those that the new root no longer has: the old one asks
    for them."""
    for signer in signers.values():
        proposal.sign(signer, append=True)


def check_proposal(store: Store, proposal: Metadata[Root], at: str) -> None:
    """Raise unless enough of a root's own keys, and of those before it, signed it.

    Raises CheckFailedError when they did not, InputError for a root that does not follow.
    """
    new = proposal.signed
    versions = store.versions("root")
    if new.version != (versions[-1] if versions else 0) + 1:
        raise InputError(f"is version {new.version} of the root", where="the proposal",
                         why=f"the tree has version {versions[-1] if versions else 0}",
                         remedy="propose again")
    if new.expires.timestamp() <= epoch(at):
        raise InputError("it has expired", where="the proposal", remedy="propose again")
    judges = [("its own", proposal)]
    if versions:
        judges.append(("the tree's present", store.trusted_root()))
    for whose, judge in judges:
        try:
            judge.signed.verify_delegate("root", proposal.signed_bytes, proposal.signatures)
        except RepositoryError as error:
            role = judge.signed.roles["root"]
            raise CheckFailedError(
                f"too few of {whose} root keys signed it", where="the proposal", why=str(error),
                remedy=f"it needs {role.threshold} of: "
                + ", ".join(keyid[:16] for keyid in role.keyids)) from error


def accept(
    works: Workshop, proposal: Metadata[Root], indexes: Mapping[str, Index],
    signers: Mapping[str, CryptoSigner], at: str,
) -> None:
    """Put the tree under a new root: it and all that must be signed anew appear in one step.

    Older files of the roles go: keys that signed them may have been revoked.
    Raises what check_proposal() raises, and InputError when an online key is missing.
    """
    store = Store(works.root)
    check_proposal(store, proposal, at)
    prepared = prepare(store, indexes, signers, at, renew=True, root=proposal)
    made = works.folder("chain")
    own_folder(made / "index", 0o755)
    for name, source in _staying(store, prepared.roles).items():
        os.link(source, made / name, follow_symlinks=False)
    prepared.files[f"{proposal.signed.version}.root.json"] = proposal.to_bytes(JSONSerializer())
    assert prepared.timestamp is not None, "it is made in any case"
    for name, content in {**prepared.files, TIMESTAMP: prepared.timestamp}.items():
        path = made / name
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
        os.utime(path, (prepared.time_s,) * 2)
    newest = {role: max((int(path.name.partition(".")[0]) for path in made.iterdir()
                         if path.name.endswith(f".{role}.json")), default=0)
              for role in prepared.roles}
    for path in list(made.iterdir()):
        version, _, rest = path.name.partition(".")
        role = rest.removesuffix(".json")
        if role in newest and version.isdecimal() and int(version) != newest[role]:
            path.unlink()
    sync_tree(made)
    works.switch(made, FOLDER)


def _staying(store: Store, roles: list[str]) -> dict[str, Path]:
    """Return the files of tuf/ that a new root does not touch: roots, newest roles, indexes."""
    names = [f"{version}.root.json" for version in store.versions("root")]
    for role in roles:
        names += [f"{version}.{role}.json" for version in store.versions(role)[-1:]]
    tree = beneath.Root(store.root)
    names += [f"index/{name}" for name in store.index_copies(roles, last=1)]
    return {name: store.root / FOLDER / name for name in names
            if tree.is_file(f"/{FOLDER}/{name}", follow=False)}


def _set_threshold(root: Root, threshold: int) -> None:
    if not 1 <= threshold <= len(root.roles["root"].keyids):
        raise InputError(f"a threshold of {threshold} can't be reached",
                         where="--threshold", why=f"the root has "
                         f"{len(root.roles['root'].keyids)} keys")
    root.roles["root"].threshold = threshold


def _expiry(at: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(moment(epoch(at) + DAYS["root"] * 86400))
