"""Moves builds between channels, and out of them: metadata changes, no byte of an image does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from host.errors import InputError
from images import record as records
from publish.change import Edit
from publish.current import Current
from publish.enter import entered
from publish.gates import Approval
from publish.merge import Merged, proofs_of
from publish.model import (
    CHANNELS,
    Channel,
    Deprecation,
    Event,
    Index,
    PublishedBuild,
    Withdrawal,
)
from publish.policies import Policy

Move = Callable[[PublishedBuild, Index, str], PublishedBuild]
"""From a build, the index that it is in and the time of the change, to what becomes of it."""


def edit_of(name: str, move: Move, policy: Policy) -> Edit:
    """Return the edit of a folder that moves one of its builds."""
    def edit(current: Current, at: str) -> Merged:
        index = current.index
        if index is None or name not in {build.name for build in index.builds}:
            raise InputError(f"there is no build {name} any more", where=name)
        builds = [move(build, index, at) if build.name == name else build
                  for build in index.builds]
        return Merged(builds, {}, {}, [], policy)

    return edit


def promotion(
    to: Channel, policy: Policy, signing_key: str, approvals: Sequence[Approval] = (),
    folder: Path | None = None,
) -> Move:
    """Return the move into a channel above; folder: of the build, where newer proofs are."""
    def move(build: PublishedBuild, index: Index, at: str) -> PublishedBuild:
        _refuse_gone(build)
        if CHANNELS.index(to) <= CHANNELS.index(build.channel):
            raise InputError(f"it is in {build.channel} already", where=build.name,
                             remedy="`ccis rollback` takes a build out of a channel")
        if folder is not None:
            build = _with_proofs(build, folder)
        return entered(build, to, "promoted", policy, at, signing_key, approvals,
                       above=build.channel)

    return move


def _with_proofs(build: PublishedBuild, folder: Path) -> PublishedBuild:
    record = records.read(folder)
    known = {file.file: file.sha256 for file in build.files}
    built = {artefact.file: artefact.sha256 for artefact in record.artefacts}
    if record.name != build.name or any(built.get(name) != each for name, each in known.items()):
        raise InputError(f"is not the folder of {build.name} as it was published",
                         where=str(folder), remedy="give the folder that was published")
    return build.model_copy(update={"proofs": proofs_of(folder, record)})


def rollback(channel: Channel, reason: str) -> Move:
    """Return the move out of a channel, into the one before: an older build is the newest again.

    The build before must be there; else the channel would offer nothing.
    """
    def move(build: PublishedBuild, index: Index, at: str) -> PublishedBuild:
        _refuse_gone(build)
        if not build.reached(channel):
            raise InputError(f"it is not in {channel}", where=build.name,
                             remedy=f"it is in {build.channel}")
        below = [each for each in index.channels
                 if CHANNELS.index(each) < CHANNELS.index(channel)]
        if not below:
            raise InputError(f"the policy {index.policy} has no channel below {channel}",
                             where=build.name, remedy="withdraw it instead")
        if not any(other.reached(channel) for other in index.builds
                   if other.series == build.series and other.name != build.name):
            raise InputError(f"no other build of its kind is in {channel}", where=build.name,
                             remedy="promote another one first, or withdraw this one")
        event = Event(at=at, action="rolled-back", channel=below[-1], reason=reason)
        return build.model_copy(
            update={"channel": below[-1], "history": [*build.history, event]})

    return move


def deprecation(reason: str, replaced_by: str | None) -> Move:
    """Return the move that says that a build should no longer be taken."""
    def move(build: PublishedBuild, index: Index, at: str) -> PublishedBuild:
        _refuse_gone(build)
        other = next((each for each in index.builds if each.name == replaced_by), None)
        if replaced_by is not None and (other is None or other.series != build.series
                                        or other.withdrawn or other.name == build.name):
            raise InputError(f"{replaced_by} is no other build of its kind that is offered",
                             where="--replaced-by", remedy="name a build of the same flavour, "
                             "release and architecture")
        event = Event(at=at, action="deprecated", channel=build.channel, reason=reason)
        return build.model_copy(update={
            "deprecated": Deprecation(since=at, reason=reason, replaced_by=replaced_by),
            "history": [*build.history, event]})

    return move


def withdrawal(reason: str) -> Move:
    """Return the move that takes a build's files away at once; its entry stays, with the reason."""
    def move(build: PublishedBuild, index: Index, at: str) -> PublishedBuild:
        _refuse_gone(build)
        event = Event(at=at, action="withdrawn", channel=build.channel, reason=reason)
        return build.model_copy(update={
            "withdrawn": Withdrawal(since=at, reason=reason), "leaves": None,
            "history": [*build.history, event]})

    return move


def pinning(pinned: bool) -> Move:
    """Return the move that has retention leave a build alone, or no longer."""
    def move(build: PublishedBuild, index: Index, at: str) -> PublishedBuild:
        _refuse_gone(build)
        event = Event(at=at, action="pinned" if pinned else "unpinned", channel=build.channel)
        return build.model_copy(update={"pinned": pinned, "leaves": None,
                                        "history": [*build.history, event]})

    return move


def _refuse_gone(build: PublishedBuild) -> None:
    if build.withdrawn:
        raise InputError(f"it was withdrawn on {build.withdrawn.since}", where=build.name,
                         why=build.withdrawn.reason, remedy="build again")
