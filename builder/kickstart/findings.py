"""What there is to say of one line of a kickstart, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["honoured", "meaningless", "refused", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing about one line.

    kind: what the builder does with the line, or `warning` for what bites later, or `note`.
    name: the command, option or section; empty for a line that can't be read.
    says: the step that honours it, or the reason, in one clause.
    where: file and line.
    """

    kind: Kind
    name: str
    says: str
    where: str
    remedy: str | None = None

    @property
    def file(self) -> str:
        """The file alone."""
        name, _, line = self.where.rpartition(":")
        return name if name and line.isdigit() else self.where

    @property
    def line(self) -> int | None:
        """The line's number; None where the whole file is meant."""
        line = self.where.rpartition(":")[2]
        return int(line) if line.isdigit() and self.file != self.where else None
