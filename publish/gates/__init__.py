"""Gates: what a build must show before a channel offers it; one file each, found by being there.

A gate's file has `Settings`, a model whose field `gate` is its name, with what a policy may say
about it, and `judge(settings, case)`, which returns the evidence or raises Closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from host.discovery import modules_in
from publish.model import Channel, GatePassed, PublishedBuild


class Closed(Exception):  # noqa: N818  # a verdict, not an error
    """The gate does not open; the text says why. remedy: what would open it."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


@dataclass(frozen=True)
class Approval:
    """A person's signed word that a build may go to a channel; document: the signed text."""

    build: str
    record_sha256: str
    to: Channel
    fingerprint: str
    document: str


@dataclass(frozen=True)
class Case:
    """A build that wants to get into a channel. at_s: now, in seconds since 1970."""

    build: PublishedBuild
    to: Channel
    at_s: int
    signing_key: str
    approvers: list[str]
    approvals: list[Approval] = field(default_factory=list)


Gate = BaseModel


@cache
def _gates() -> dict[str, ModuleType]:
    return {module.Settings.model_fields["gate"].annotation.__args__[0]: module
            for module in modules_in(__name__)}


def parse_gate(value: Any) -> Gate:
    """Return the settings of a gate from a policy; raises ValueError for a gate that is none."""
    name = value.get("gate") if isinstance(value, dict) else None
    if name not in _gates():
        raise ValueError(f"there is no gate {name!r}; there are {', '.join(sorted(_gates()))}")
    settings: Gate = _gates()[name].Settings.model_validate(value)
    return settings


def judge(gate: Gate, case: Case) -> GatePassed:
    """Return what shows that a build passes a gate; raises Closed."""
    name: str = gate.gate  # type: ignore[attr-defined]  # each gate's settings have it
    passed: GatePassed = _gates()[name].judge(gate, case)
    return passed
