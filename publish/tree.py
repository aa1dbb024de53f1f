"""Publishes builds into a release tree: a folder per release and architecture, changed at once.

A folder is made anew outside the tree – files that stay are hard links, the rest is copied and
checked – then signed, flushed to disk and exchanged with the old one in a single step. A reader
sees the old state or the new; a publisher that dies leaves the old one.

    root/keys/<fingerprint>.asc                                    the public key
    root/centos/10-stream/x86_64/images/CHECKSUM                   clear-signed sizes and SHA-256
                                       /index.json, index.json.asc the same and more, for programs
                                       /CentOS-Stream-…            images, their -latest twins,
                                                                   .SHA256SUM and .build.json
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from host.errors import InputError
from host.progress import Progress
from publish.chain.refresh import Signers
from publish.chain.store import Store
from publish.change import Edit, Publication, PublishedFolder, change
from publish.current import Current
from publish.enter import entered
from publish.gates import Approval
from publish.merge import Build, Merged, merge, read_build
from publish.model import Channel
from publish.policies import Policy
from publish.provenance import attested
from publish.sign import Signer

__all__ = ["Options", "Publication", "PublishedFolder", "publish"]


@dataclass(frozen=True)
class Options:
    """How builds are published.

    keep: so many of the newest builds of each flavour stay in the folders that change; None: all.
    formats: publish these artefacts alone. channel: into this one; None: where the policy says.
    unproven: why a build that nobody proved may be published.
    """

    policy: Policy
    keep: int | None = None
    formats: Collection[str] | None = None
    channel: Channel | None = None
    unproven: str | None = None
    approvals: Sequence[Approval] = ()


def publish(
    build_folders: Sequence[Path], root: Path, signer: Signer, progress: Progress,
    options: Options, *, replace_key: bool = False, now_s: float | None = None,
    chain: Signers | None = None,
) -> Publication:
    """Publish builds into the release tree at `root`, which is made if need be.

    replace_key: go on with another key than the one that signed the folder so far. now_s: the time
    of the publication; None: the clock's. chain: the online keys of the tree's chain of trust.

    Raises InputError for a bad build, a file that changed since its build, a file published
    before with another content, or a folder that is not as its index says; CheckFailedError for a
    build that does not pass the channel's gates; HostError when signing or writing fails. Whatever
    it raises, the tree is as it was.
    """
    if options.keep is not None and options.keep < 1:
        raise InputError("--keep must be 1 or more", where=f"--keep {options.keep}")
    builds = [read_build(folder, options.formats) for folder in build_folders]
    _refuse_doubles(builds)
    paths = sorted({build.public_path for build in builds})

    def attest(build: Build) -> Build:
        store = Store(root.resolve())
        if chain is None or not store.exists:
            return build
        return attested(build, chain, store.trusted_root().signed.roles["targets"].keyids)

    edits = {path: _joining(path, builds, options, signer, attest) for path in paths}
    return change(root, edits, signer, progress, replace_key=replace_key, now_s=now_s,
                  chain=chain)


def _joining(
    path: str, builds: Sequence[Build], options: Options, signer: Signer,
    attest: Callable[[Build], Build],
) -> Edit:
    members = [build for build in builds if build.public_path == path]
    channel = options.channel or options.policy.publish_into

    def edit(current: Current, at: str) -> Merged:
        known = {build.name for build in current.index.builds} if current.index else set()
        ready = [
            attest(build) if build.record.name in known else attest(replace(build, entry=entered(
                build.entry.model_copy(update={"unproven": options.unproven}), channel,
                "published", options.policy, at, signer.fingerprint, options.approvals)))
            for build in members
        ]
        return merge(current.index, current.present, ready, options.keep, options.policy)

    return edit


def _refuse_doubles(builds: Sequence[Build]) -> None:
    seen: dict[str, Path] = {}
    for build in builds:
        other = seen.setdefault(build.record.name, build.folder)
        if other is not build.folder:
            raise InputError(f"two builds have the name {build.record.name}",
                             where=f"{other} and {build.folder}", remedy="publish one of them")
