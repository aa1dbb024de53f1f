"""What a tree offers, how old it is, and which series are overdue by their policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from publish.model import Channel, Index, PublishedBuild, epoch, moment
from publish.policies import Policy


@dataclass(frozen=True)
class SeriesStatus:
    """The newest build of a series in a channel. entered: since when it is there.

    due: when the next one is expected by the policy; None: the policy expects none, or the channel
    is not its last. overdue: whether that is past.
    """

    path: str
    flavour: str
    version: str
    arch: str
    channel: Channel
    build: str | None
    entered: str | None
    due: str | None
    overdue: bool


@dataclass(frozen=True)
class TreeStatus:
    """The whole of a tree. at: when this was said; revisions: of the folders that it is about."""

    at: str
    revisions: dict[str, int]
    series: list[SeriesStatus]
    withdrawn: list[str]
    leaving: dict[str, str]

    @property
    def overdue(self) -> list[SeriesStatus]:
        """The series of which a build is missing."""
        return [each for each in self.series if each.overdue]

    def dump(self) -> str:
        """Return the text of status.json."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def status(
    indexes: Mapping[str, Index], policy: Policy | None, at_s: int,
) -> TreeStatus:
    """Return how a tree is at a time, in seconds since 1970.

    policy: judge by its cadence; None: by what each index says of its own.
    """
    series = []
    for path, index in sorted(indexes.items()):
        interval = index.interval_hours
        if policy is not None:
            interval = policy.freshness.interval_hours if policy.freshness else None
        last = (policy.order if policy else index.channels)[-1]
        for kind in sorted({build.series for build in index.builds}):
            members = [build for build in index.builds if build.series == kind]
            series += [_of_channel(path, members, channel, interval if channel == last else None,
                                   at_s)
                       for channel in index.channels]
    builds = [build for index in indexes.values() for build in index.builds]
    return TreeStatus(
        at=moment(at_s), revisions={path: index.revision for path, index in indexes.items()},
        series=series, withdrawn=sorted(build.name for build in builds if build.withdrawn),
        leaving={build.name: build.leaves for build in builds if build.leaves},
    )


def _of_channel(
    path: str, members: list[PublishedBuild], channel: Channel,
    interval_hours: int | None, at_s: int,
) -> SeriesStatus:
    offered = sorted((build for build in members if build.reached(channel)),
                     key=lambda build: build.order)
    newest = offered[-1] if offered else None
    entered = _entered(newest, channel) if newest else None
    due = None
    if interval_hours is not None and entered:
        due = moment(epoch(entered) + interval_hours * 3600)
    first = members[0]
    return SeriesStatus(
        path=path, flavour=first.flavour, version=first.version, arch=first.arch, channel=channel,
        build=newest.name if newest else None, entered=entered, due=due,
        overdue=due is not None and at_s > epoch(due))


def _entered(build: PublishedBuild, channel: Channel) -> str:
    """Return since when a build is in a channel without a break."""
    since = build.published
    inside = False
    for event in build.history:
        if event.channel is None:
            continue
        now = build.model_copy(update={"channel": event.channel, "leaves": None}).reached(channel)
        if now and not inside:
            since = event.at
        inside = now
    return since
