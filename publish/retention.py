"""Which builds leave the tree, when, and why each of the others stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from publish.change import Edit
from publish.current import Current
from publish.merge import Merged
from publish.model import Event, Index, PublishedBuild, epoch, moment
from publish.policies import Policy, Retention

Verdict = Literal["stays", "is announced to leave", "leaves later", "leaves"]


@dataclass(frozen=True)
class Decision:
    """What retention does with a build, and why."""

    build: str
    verdict: Verdict
    why: str


def decide(index: Index, retention: Retention, at_s: int) -> list[Decision]:
    """Return the fate of each build; at_s: now, in seconds since 1970."""
    return [_decide(build, index, retention, at_s) for build in index.builds]


def _decide(build: PublishedBuild, index: Index, retention: Retention, at_s: int) -> Decision:
    def stays(why: str) -> Decision:
        return Decision(build.name, "stays", why)

    if build.withdrawn:
        return stays("withdrawn: its files are gone, its entry is what people must find")
    if build.pinned:
        return stays("pinned")
    if build.leaves is not None:
        if at_s < epoch(build.leaves):
            return Decision(build.name, "leaves later", f"announced for {build.leaves}")
        return Decision(build.name, "leaves", f"announced for {build.leaves}")
    if any(file.aliases for file in build.files):
        return stays("it is the newest of its kind in a channel")
    for channel in reversed(index.channels):
        peers = sorted((each for each in index.builds
                        if each.series == build.series and each.reached(channel)),
                       key=lambda each: each.order)[-retention.keep_last:]
        if build in peers:
            return stays(f"one of the last {retention.keep_last} in {channel}")
    age_days = (at_s - epoch(_since(build))) / 86400
    if age_days < retention.minimum_age_days:
        return stays(f"published {age_days:.1f} days ago, less than {retention.minimum_age_days}")
    return Decision(build.name, "is announced to leave",
                    f"more than {retention.keep_last} newer ones, published {age_days:.1f} days "
                    "ago")


def _since(build: PublishedBuild) -> str:
    return build.history[0].at if build.history else build.published


def pruning(policy: Policy, retention: Retention) -> Edit:
    """Return the edit that carries decisions out: files go only when it was long announced."""
    def edit(current: Current, at: str) -> Merged:
        index = current.index
        if index is None:
            return Merged([], {}, {}, [], policy)
        fate = {each.build: each.verdict for each in decide(index, retention, epoch(at))}
        builds = []
        for build in index.builds:
            if fate[build.name] == "is announced to leave":
                leaves = moment(epoch(at) + retention.grace_hours * 3600)
                event = Event(at=at, action="announced-to-leave", channel=build.channel,
                              reason=f"its files are removed after {leaves}")
                build = build.model_copy(
                    update={"leaves": leaves, "history": [*build.history, event]})
            if fate[build.name] != "leaves":
                builds.append(build)
        gone = sorted(name for name, verdict in fate.items() if verdict == "leaves")
        return Merged(builds, {}, {}, gone, policy)

    return edit
