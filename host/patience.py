"""How long another host is waited for, and how often it is asked: one rule wherever we fetch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["final", "passing", "slow"]
"""Of a failure. final: asking again is of no use; passing: it may pass by itself; slow: so it may,
but each try costs a long wait, or it seldom passes."""


@dataclass(frozen=True)
class Patience:
    """The bounds of a transfer; with none of them missing, each one comes to an end.

    connect_s: until the other side has answered the call.
    stall_s: how long less than least_bytes_per_s may come (dnf's minrate and timeout).
    whole_s: for a file, beside what its size takes at steady_bytes_per_s: what trickles, however
    steadily, comes to an end.
    tries: of what passes (429, 5xx, a connection that broke); tries_slow: of what is slow, or
    seldom passes (no answer, no such name, another checksum).
    pause_s: before the second try; it doubles before each further one.
    """

    connect_s: int = 10
    stall_s: int = 15
    least_bytes_per_s: int = 1000
    whole_s: float = 60
    steady_bytes_per_s: int = 16 << 10
    tries: int = 4
    tries_slow: int = 2
    pause_s: float = 0.5

    def bound_s(self, size_bytes: int) -> float:
        """Return how long a file of that size may take; 0: its size is unknown."""
        return self.whole_s + size_bytes / self.steady_bytes_per_s

    def tries_of(self, kind: Kind) -> int:
        """Return how often something is tried that fails in this way."""
        return {"final": 1, "slow": self.tries_slow, "passing": self.tries}[kind]

    def pauses(self) -> Iterator[float]:
        """Yield how long to wait before each try: 0 before the first one."""
        yield 0
        for number in range(max(self.tries, self.tries_slow) - 1):
            yield self.pause_s * 2 ** number


PASSING_STATUS = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Answers of HTTP that say "not now" (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4; RFC 8470, 5.2)."""
