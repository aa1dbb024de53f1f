"""What a verification found, for a person and for a script."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, order=True)
class Finding:
    """Something that is not as it must be. file: below the root of the tree."""

    file: str
    problem: str


@dataclass
class Verification:
    """What a verification found.

    trust: "pinned" when the user named the key, else "first-use". fingerprints: the keys that
    signatures were checked against. bytes_hashed: hard links count once. chain: versions of the
    chain of trust and when its timestamp expires; None: the tree has none, or it breaks. notes:
    what is worth knowing and no fault.
    """

    root: Path
    trust: Literal["pinned", "first-use"]
    fingerprints: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    files: int = 0
    bytes_hashed: int = 0
    chain: dict[str, int | str] | None = None
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is as it must be."""
        return not self.findings
