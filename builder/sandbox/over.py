"""Says which bound a program went over, how large it is, and how it is raised."""

from __future__ import annotations

from typing import NoReturn

from host.errors import HostError, InputError
from images.bounds import Bounds


def raise_over(
    bound: str, who: str, bounds: Bounds, time_s: float, why: str | None,
    cause: Exception | None = None,
) -> NoReturn:
    """Raise InputError, or HostError for what the host may be to blame for.

    bound: as host/watch.py and host/run.py name it; "room", "full": the host's disk has no more.
    """
    what, name = {
        "time": (f"did not end within {time_s:.0f} s", "minutes"),
        "output": (f"printed more than {bounds.output}", "output"),
        "processes": (f"started more than {bounds.processes} processes", "processes"),
        "memory_bytes": (f"used more than {bounds.memory} of memory", "memory"),
        "space_bytes": (f"wrote more than {bounds.space}", "space"),
        "files": (f"made more than {bounds.files} files", "files"),
        "room": ("nearly filled the host's disk", ""),
        "full": ("had no room left on the host's disk", ""),
    }[bound]
    if not name:
        raise HostError(f"{who} {what}", why=why, remedy="free some space where the store is, or "
                        "point CCIS_STORE at a larger disk") from cause
    kind = HostError if bound == "time" else InputError
    remedy = f"if that is right so, raise `bounds: {name}:` in the image's file"
    raise kind(f"{who} {what}", why=why, remedy=remedy) from cause
