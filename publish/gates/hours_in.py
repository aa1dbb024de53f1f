"""The gate `hours-in`: the build has been in a channel for so long, where people could try it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from publish.gates import Case, Closed
from publish.model import CHANNELS, Channel, GatePassed, epoch


class Settings(BaseModel):
    """What a policy may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: Literal["hours-in"]
    channel: Channel
    hours: Annotated[float, Field(ge=0, le=87600)]


def judge(settings: Settings, case: Case) -> GatePassed:
    """Return since when it has been there without leaving it."""
    least = CHANNELS.index(settings.channel)
    since = None
    for event in case.build.history:
        if event.channel is None:
            continue
        if CHANNELS.index(event.channel) < least:
            since = None
        elif since is None:
            since = event.at
    if since is None:
        raise Closed(f"it is not in {settings.channel}", f"promote it to {settings.channel} first")
    hours = (case.at_s - epoch(since)) / 3600
    if hours < settings.hours:
        raise Closed(f"it has been in {settings.channel} for {hours:.1f} hours since {since}, not "
                     f"{settings.hours:g}", "wait")
    return GatePassed(gate="hours-in", evidence=f"in {settings.channel} since {since}")
