"""Reads fstab(5) of an image."""

from __future__ import annotations

from dataclasses import dataclass

from host.patterns import pattern


@dataclass(frozen=True)
class Line:
    """One line: tag and value ("UUID", "…"; tag "" for a device or a name), where, type."""

    source: str
    tag: str
    value: str
    mountpoint: str
    type: str
    options: tuple[str, ...]

    @property
    def subvolume(self) -> str | None:
        """The path of the btrfs subvolume that it mounts, None for the default one."""
        found = [one[7:].strip("/") for one in self.options if one.startswith("subvol=")]
        return found[-1] if found else None


LINES_MAX = 500
"""Many times what any image of ours mounts."""

VIRTUAL = {"proc", "sysfs", "tmpfs", "devpts", "devtmpfs", "cgroup2", "efivarfs", "none"}
"""Types of file system that have no disk under them."""


def parse(text: str) -> list[Line]:
    """Return the lines that mount something; a line that fstab(5) can't mean is left out.

    Of a file with more than LINES_MAX such lines the first ones are returned, and one more.
    """
    lines: list[Line] = []
    for raw in text.splitlines():
        if len(lines) > LINES_MAX:
            break
        words = raw.split()
        if len(words) < 3 or words[0].startswith("#"):
            continue
        source, mountpoint, fstype = words[:3]
        tag, sign, value = source.partition("=")
        if not sign or not pattern("[A-Z]+").fullmatch(tag):
            tag, value = "", source
        options = tuple(words[3].split(",")) if len(words) > 3 else ("defaults",)
        lines.append(Line(source, tag, value.strip('"'), _unescaped(mountpoint), fstype, options))
    return lines


def _unescaped(text: str) -> str:
    return pattern(r"\\([0-7]{3})").sub(lambda match: chr(int(match[1], 8)), text)
