"""A package that dnf chose for an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from images.record import Package


@dataclass(frozen=True)
class Choice:
    """A package that was chosen: its record, and where its RPM lies in its repository.

    build_time: when the RPM was built, in seconds since 1970.
    """

    record: Package
    size_bytes: int
    location: str
    build_time: int

    def as_dnf_says(self) -> dict[str, Any]:
        """Return the row that the worker printed, to be compared with what it installs."""
        return {**self.record.model_dump(), "size_bytes": self.size_bytes,
                "location": self.location, "build_time": self.build_time}
