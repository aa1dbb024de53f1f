"""Changes release folders of a tree: read, edit, prepare, sign, exchange – all or none of it seen.

What a command does to a folder is an Edit, a function from what the folder offers to what it shall
offer. Everything that makes a change safe is here, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError
from host.progress import Progress
from publish.chain.gather import gather
from publish.chain.refresh import Prepared, Signers, install, prepare, publish_timestamp
from publish.chain.store import Store
from publish.current import Current, forget_unused_keys, read_current
from publish.fill import STEP, Copied, fill, texts
from publish.find import readable_indexes
from publish.folder import sweep_leftovers
from publish.merge import Merged
from publish.model import KEYS, Index, epoch, moment, names_of, with_aliases
from publish.remote import RemoteSigner
from publish.sign import Signer, publish_key
from publish.views import put_views
from publish.workshop import Workshop, check_place, public_folder, workshop

Edit = Callable[[Current, str], Merged]
"""From what a folder is, and the time of the change, to what it shall be."""

_SKEW_S = 3600


@dataclass(frozen=True)
class PublishedFolder:
    """A folder of the tree after a change.

    changed: False when it held exactly this already, and was left alone. added: the names of the
    new files. removed: the names of the builds that went.
    """

    path: Path
    changed: bool
    builds: list[str]
    added: list[str]
    removed: list[str]


@dataclass(frozen=True)
class Publication:
    """What a change of the tree did. key: the file with the public key."""

    root: Path
    fingerprint: str
    key: Path
    folders: list[PublishedFolder]


@dataclass(frozen=True)
class _Plan:
    path: str
    current: Current
    merged: Merged
    index: Index
    changed: bool


def change(
    root: Path, edits: Mapping[str, Edit], signer: Signer, progress: Progress, *,
    replace_key: bool = False, now_s: float | None = None, chain: Signers | None = None,
) -> Publication:
    """Carry out an edit for each of these folders, by path, and sign what comes of it.

    now_s: the time of the change, in seconds since 1970; None: the clock's. chain: the online keys
    of the tree's chain of trust, which a tree that has one needs for every change.
    Raises InputError for an edit that is refused or a folder that is not as its index says;
    HostError when signing or writing fails. Whatever it raises, each folder is as it was, or wholly
    as it shall be.
    """
    chain_s = now_s  # how long the chain is good counts from today, whenever the key signed
    if now_s is None and isinstance(signer, RemoteSigner):
        now_s = signer.at_s
    with workshop(root) as works:
        for path in (KEYS, *edits):
            check_place(works, path)
        plans = []
        for path, edit in sorted(edits.items()):
            sweep_leftovers(works.root, path)
            current = read_current(works.root, path, signer, progress, replace_key=replace_key)
            plans.append(_planned(path, current, edit, signer, progress, now_s))
        if isinstance(signer, RemoteSigner):
            for plan in plans:
                if plan.changed:
                    text, listing = texts(plan.index)
                    signer.detached(text)
                    signer.clear_sign(listing)
            signer.ask(time.time() if now_s is None else now_s)
        prepared = _chained(works, plans, signer, progress, chain, chain_s)
        key = _carry_out(works, plans, signer, progress, prepared)
        if replace_key:
            forget_unused_keys(works.root)
        return Publication(root, signer.fingerprint, root / key.relative_to(works.root), [
            PublishedFolder(root / plan.path, plan.changed,
                            [build.name for build in plan.index.builds],
                            sorted(plan.merged.sources), plan.merged.removed)
            for plan in plans
        ])


def _chained(
    works: Workshop, plans: list[_Plan], signer: Signer, progress: Progress,
    chain: Signers | None, now_s: float | None,
) -> Prepared | None:
    """Return what the chain of trust needs, all of it signed, before anything is changed."""
    if not Store(works.root).exists:
        return None
    if chain is None:
        raise InputError("the tree has a chain of trust, and its online keys are not given",
                         where=str(works.root), remedy="give --trust-keys FOLDER")
    planned = {plan.path: plan.index for plan in plans}
    at = moment(time.time() if now_s is None else now_s)
    return prepare(Store(works.root), gather(works.root, planned, signer, progress), chain, at)


def _planned(
    path: str, current: Current, edit: Edit, signer: Signer, progress: Progress,
    now_s: float | None,
) -> _Plan:
    before = current.index
    clock_s = time.time() if now_s is None else now_s
    last_s = epoch(before.updated) if before else 0
    if last_s > clock_s + _SKEW_S:
        progress.say(f"{path}: it was changed at {before.updated if before else ''}, which this "
                     "host's clock has not reached: one of the two is wrong")
    updated = moment(max(clock_s, last_s + 1))
    merged = edit(current, updated)
    policy = merged.policy
    index = Index(
        path=path, signing_key=signer.fingerprint, policy=policy.name, channels=policy.order,
        url=policy.url,
        interval_hours=policy.freshness.interval_hours if policy.freshness else None,
        revision=before.revision if before else 0, updated=before.updated if before else updated,
        builds=with_aliases(merged.builds, policy.order),
    )
    changed = index != before or not names_of(index) <= current.present
    if changed:
        index = index.model_copy(update={"revision": index.revision + 1, "updated": updated})
    return _Plan(path, current, merged, index, changed)


def _carry_out(
    works: Workshop, plans: list[_Plan], signer: Signer, progress: Progress,
    prepared: Prepared | None,
) -> Path:
    changing = [plan for plan in plans if plan.changed]
    total_bytes = sum(file.size_bytes for plan in plans for build in plan.index.builds
                      for file in build.served if file.file in plan.merged.sources)
    progress.start(STEP, total_bytes, "bytes")
    public_folder(works.root, KEYS)
    key = publish_key(signer, works.root, KEYS)
    copied = Copied(progress)
    made = []
    for number, plan in enumerate(changing):  # all are ready before the first one is exchanged
        folder = works.folder(str(number))
        fill(folder, works.root, plan.index, plan.merged, plan.current, signer, copied)
        made.append((folder, plan.path))
    if prepared is not None:  # first what nobody looks at yet, last what leads readers to it
        install(works, prepared)
    for folder, path in made:
        works.switch(folder, path)
    put_views(works, {**readable_indexes(works.root), **{plan.path: plan.index for plan in plans}})
    if prepared is not None:
        publish_timestamp(works, prepared)
    progress.finish(STEP, cached=not changing)
    return key
