"""Lets a build into a channel: by every gate of every channel on its way there."""

from __future__ import annotations

from collections.abc import Sequence

from host.errors import CheckFailedError, InputError
from publish.gates import Approval, Case, Closed, judge
from publish.model import CHANNELS, Channel, Event, GatePassed, PublishedBuild, epoch
from publish.policies import Policy


def entered(
    build: PublishedBuild, to: Channel, action: str, policy: Policy, at: str, signing_key: str,
    approvals: Sequence[Approval] = (), *, above: Channel | None = None,
) -> PublishedBuild:
    """Return a build that is in the channel `to`, with an event that says what showed its worth.

    above: the channel that it is in, whose gates it has passed; None: it is in none yet.
    Raises CheckFailedError, with all the gates that stay closed, InputError for a channel that the
    policy does not have.
    """
    if to not in policy.channels:
        raise InputError(f"the policy {policy.name} has no channel {to}", where=f"--to {to}",
                         remedy="it has: " + ", ".join(policy.order))
    first = CHANNELS.index(above) + 1 if above else 0
    passed: list[GatePassed] = []
    closed: list[tuple[str, Closed]] = []
    for channel in CHANNELS[first:CHANNELS.index(to) + 1]:
        if channel not in policy.channels:
            continue
        case = Case(build, channel, epoch(at), signing_key, policy.approvers, list(approvals))
        for gate in policy.channels[channel].gates:
            try:
                passed.append(judge(gate, case))
            except Closed as why:
                closed.append((channel, why))
    if closed:
        raise CheckFailedError(
            f"{build.name} can't enter {to}", where=f"policy {policy.name}",
            why="; ".join(f"{channel}: {why}" for channel, why in closed),
            remedy="; ".join(dict.fromkeys(why.remedy for _, why in closed)))
    event = Event(at=at, action=action, channel=to, gates=passed)
    return build.model_copy(update={"channel": to, "history": [*build.history, event]})
