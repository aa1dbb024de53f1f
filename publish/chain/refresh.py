"""Brings the TUF metadata in line with the release folders: what is new is made, the rest stays."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    T,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from host.errors import InputError
from publish.chain.names import (
    DAYS,
    FOLDER,
    TIMESTAMP,
    index_target,
    patterns,
    role_of,
    targets_of,
)
from publish.chain.store import Store, forget_old, put
from publish.checksums import Sum
from publish.model import Index, epoch, moment
from publish.workshop import Workshop

Signers = Mapping[str, CryptoSigner]


@dataclass
class Prepared:
    """New files of tuf/, by name, and the timestamp that makes readers find them (None: same)."""

    time_s: int
    files: dict[str, bytes] = field(default_factory=dict)
    timestamp: bytes | None = None
    roles: list[str] = field(default_factory=list)


def prepare(
    store: Store, indexes: Mapping[str, Index], signers: Signers, at: str, *, renew: bool = False,
    root: Metadata[Root] | None = None,
) -> Prepared:
    """Return what is to be put into tuf/ so that it says what the folders' indexes say.

    indexes: of all folders of the tree, as they shall be. renew: make what has less than half of
    its time left anew, and the timestamp in any case. root: the root that it shall be under; None:
    that of the tree.
    Raises InputError when a role would need a key that is not among `signers`.
    """
    root = root or store.trusted_root()
    if datetime.datetime.fromisoformat(at) >= root.signed.expires:
        raise InputError("the root metadata has expired", where=str(store.root / FOLDER),
                         remedy="`ccis trust rotate` makes a new one, for the root's keys to sign")
    work = _Preparing(store, root, signers, at, renew)
    targets = work.delegating(sorted(indexes))
    made = {f"{role_of(path)}.json": work.releasing(indexes[path], targets)
            for path in sorted(indexes)}
    meta = {"targets.json": targets.signed.version, **made}
    work.binding(meta)
    work.prepared.roles = ["targets", "snapshot", *(role_of(path) for path in indexes)]
    return work.prepared


def install(works: Workshop, prepared: Prepared) -> None:
    """Put the new files into the tree; no reader looks at them before publish_timestamp().

    What vouches for a file comes before it: should we be killed, nothing is there that nobody
    vouches for. The next run sees what is missing.
    """
    for name, content in sorted(prepared.files.items(), key=lambda each: "/" in each[0]):
        put(works, name, content, prepared.time_s)


def publish_timestamp(works: Workshop, prepared: Prepared) -> None:
    """Let readers find the new files, and remove what none needs any more."""
    if prepared.timestamp is not None:
        put(works, TIMESTAMP, prepared.timestamp, prepared.time_s)
    forget_old(works, prepared.roles, prepared.time_s)


@dataclass
class _Preparing:
    store: Store
    root: Metadata[Root]
    signers: Signers
    at: str
    renew: bool
    prepared: Prepared = field(init=False)

    def __post_init__(self) -> None:
        self.prepared = Prepared(epoch(self.at))

    def delegating(self, paths: list[str]) -> Metadata[Targets]:
        """Return the top-level targets, which delegate each folder to a role of its own."""
        role = self.root.signed.roles["targets"]
        keys = {each: self.root.signed.keys[each] for each in role.keyids}
        roles = {role_of(path): DelegatedRole(role_of(path), list(role.keyids), role.threshold,
                                              True, patterns(path)) for path in paths}
        wanted = Delegations(keys, roles)
        old = self.store.newest("targets", Targets)
        if old is not None and old.signed.delegations == wanted and self._holds(
                old, self.root.signed, "targets"):
            return old
        return self._signed(Targets(delegations=wanted), "targets", "targets", self.root.signed)

    def releasing(self, index: Index, targets: Metadata[Targets]) -> int:
        """See that a folder's role says what its index says; return the version that does."""
        role = role_of(index.path)
        text = index.dump().encode()
        about: dict[str, tuple[int, str, dict[str, object]]] = {
            **targets_of(index),
            index_target(index.path, index.revision): (
                len(text), Sum.of(text).sha256, {"path": index.path}),
        }
        wanted = {path: TargetFile(size_bytes, {"sha256": sha256}, path,
                                   {"custom": custom} if custom else None)
                  for path, (size_bytes, sha256, custom) in about.items()}
        copy = index_target(index.path, index.revision).partition("/")[2]
        if not self.store.has(copy, text):
            self.prepared.files[copy] = text
        old = self.store.newest(role, Targets)
        if old is not None and old.signed.targets == wanted and self._holds(
                old, targets.signed, role):
            return old.signed.version
        new = self._signed(Targets(targets=wanted), role, "release", targets.signed)
        return new.signed.version

    def binding(self, versions: Mapping[str, int]) -> None:
        """Make the snapshot of these versions, and the timestamp of it."""
        meta = {name: MetaFile(version) for name, version in versions.items()}
        old = self.store.newest("snapshot", Snapshot)
        stamp = self.store.timestamp()
        if old is None or old.signed.meta != meta or not self._holds(
                old, self.root.signed, "snapshot"):
            old = self._signed(Snapshot(meta=meta), "snapshot", "snapshot", self.root.signed)
        if (stamp is not None and not self.renew
                and stamp.signed.snapshot_meta.version == old.signed.version
                and self._holds(stamp, self.root.signed, "timestamp")):
            return
        new = Timestamp(version=stamp.signed.version + 1 if stamp else 1,
                        snapshot_meta=MetaFile(old.signed.version))
        metadata = self._sign(new, "timestamp", "timestamp", self.root.signed)
        self.prepared.timestamp = metadata.to_bytes(JSONSerializer())

    def _holds(self, metadata: Metadata[T], by: Root | Targets, role: str) -> bool:
        """Say whether a file can stay: signed by the keys of today, and not about to expire."""
        try:
            by.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError:
            return False
        kind = role if role in DAYS else "release"
        left_s = metadata.signed.expires.timestamp() - epoch(self.at)
        return left_s > (DAYS[kind] * 86400 / 2 if self.renew else 0)

    def _signed(
        self, signed: T, role: str, kind: str, by: Root | Targets,
    ) -> Metadata[T]:
        versions = self.store.versions(role)
        signed.version = versions[-1] + 1 if versions else 1
        metadata = self._sign(signed, role, kind, by)
        self.prepared.files[f"{signed.version}.{role}.json"] = metadata.to_bytes(JSONSerializer())
        return metadata

    def _sign(self, signed: T, role: str, kind: str, by: Root | Targets) -> Metadata[T]:
        expires_s = epoch(self.at) + DAYS[kind] * 86400
        signed.expires = datetime.datetime.fromisoformat(moment(expires_s))
        metadata = Metadata(signed)
        asked = by.get_delegated_role(role)
        for keyid in asked.keyids:
            if keyid in self.signers:
                metadata.sign(self.signers[keyid], append=True)
        try:
            by.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError as error:
            lacking = [keyid[:16] for keyid in asked.keyids if keyid not in self.signers]
            raise InputError(
                f"the role {role} can't be signed", where="--trust-keys",
                why=f"it needs {asked.threshold} of its keys; missing: {', '.join(lacking)}",
                remedy="give --trust-keys the folder with the online keys") from error
        return metadata
