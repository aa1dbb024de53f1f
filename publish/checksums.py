"""CHECKSUM and .SHA256SUM in the form of cloud.centos.org: a size and a SHA-256 per file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from publish.model import FILE_NAME

MAX_LINE = 600
MAX_SUM_BYTES = 4096
"""A .SHA256SUM has two lines."""
_SIZE = re.compile(r"# (?P<file>.+): (?P<size>[0-9]{1,19}) bytes")
_SHA256 = re.compile(r"SHA256 \((?P<file>.+)\) = (?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True)
class Sum:
    """The size in bytes and the SHA-256 that a file must have."""

    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> Sum:
        """Return the sum of a file with this content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


def render(sums: Mapping[str, Sum]) -> str:
    """Return the text for some files, by name, in the order of their names."""
    return "".join(
        f"# {name}: {sums[name].size_bytes} bytes\nSHA256 ({name}) = {sums[name].sha256}\n"
        for name in sorted(sums)
    )


def parse(text: str) -> tuple[dict[str, Sum], list[str]]:
    """Return the sums by file name, and a sentence for every line that is not as it must be.

    Nothing of the text is trusted: a name that leads out of the folder never gets into the sums.
    """
    sums: dict[str, Sum] = {}
    problems: list[str] = []
    size: re.Match[str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > MAX_LINE:
            problems.append(f"line {number} has {len(line)} characters")
            size = None
            continue
        total = _SHA256.fullmatch(line)
        if total is None:
            if size is not None:
                problems.append(f"line {number}: a size must be followed by its checksum")
            size = _SIZE.fullmatch(line)
            if size is None:
                problems.append(f"line {number} is neither a size nor a checksum: {line[:60]!r}")
            continue
        name = total["file"]
        if size is None or size["file"] != name:
            problems.append(f"line {number}: no size stands before the checksum of {name[:60]!r}")
        elif not FILE_NAME.fullmatch(name):
            problems.append(f"line {number}: {name[:60]!r} is not the name of a file in the folder")
        elif name in sums:
            problems.append(f"line {number}: {name} is listed twice")
        else:
            sums[name] = Sum(int(size["size"]), total["sha256"])
        size = None
    if size is not None:
        problems.append("it ends with a size that has no checksum")
    return sums, problems
