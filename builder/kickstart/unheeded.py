"""Lines that Anaconda leaves out because of an earlier one, with no more than a line in its log."""

from __future__ import annotations

from collections.abc import Iterator

from builder.kickstart.model import Command, Kickstart


def unheeded(kickstart: Kickstart) -> Iterator[tuple[Command, str]]:
    """Yield each such line with the reason.

    A user is made once: the first line of a name counts (pyanaconda/core/users.py, create_user).
    """
    first: dict[str, str] = {}
    for command in kickstart.find("user"):
        name = command.data.name
        if name in first:
            yield command, f"the user {name} is made by the line at {first[name]}, which counts"
        first.setdefault(name, command.where)
