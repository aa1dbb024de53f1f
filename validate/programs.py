"""Programs that read hostile input: that they are there, and that they don't flood our memory."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from host.errors import HostError

_ERRORS_BYTES_MAX = 64 << 10


def bounded(argv: Sequence[str | Path], max_bytes: int) -> list[str]:
    """Return a command line that prints at most `max_bytes` of what `argv` prints.

    The exit status is that of `argv`; one that prints more is ended by SIGPIPE, and so fails.
    """
    script = f'"$@" 2> >(head -c {_ERRORS_BYTES_MAX} >&2) | head -c {max_bytes}'
    return ["bash", "-o", "pipefail", "-c", script, "bash", *map(str, argv)]


def need(*names: str) -> None:
    """Raise HostError when one of these programs is not on this host.

    host.run names a missing program only where it starts that one itself, not through others.
    """
    for name in names:
        if shutil.which(name) is None:
            raise HostError(
                f"{name} is not installed", remedy="run tools/setup, or see `ccis doctor`",
            )
