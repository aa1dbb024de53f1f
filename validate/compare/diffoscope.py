"""What diffoscope says of two files, where it is installed: never needed, never long."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from host.errors import HostError
from host.run import run

_TIMEOUT_S = 300
_TEXT_BYTES_MAX = 16 << 10
_FILE_BYTES_MAX = 2 << 30
_DIFFERENT = 1
"""diffoscope(1), "EXIT STATUS"."""


def diffoscope(one: Path, other: Path) -> str:
    """Return diffoscope's text, cut to a few screens; nothing where it is not installed.

    It unpacks everything it meets, so large files are left out and its time is bounded.
    """
    if not shutil.which("diffoscope") or one.stat().st_size > _FILE_BYTES_MAX:
        return ""
    with tempfile.TemporaryDirectory(dir=other.parent) as scratch:
        try:
            done = run(
                ["diffoscope", "--no-progress", "--text", "-", "--max-text-report-size",
                 str(_TEXT_BYTES_MAX), one, other],
                env={"TMPDIR": scratch}, timeout_s=_TIMEOUT_S, check=False, log_stdout=False)
        except HostError as error:
            return f"diffoscope was given up: {error.what}"
    return done.stdout[:_TEXT_BYTES_MAX] if done.status == _DIFFERENT else ""
