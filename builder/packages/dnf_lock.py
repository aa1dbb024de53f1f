"""Locks for dnf that hold between our workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dnf.lock

from host.locks import locked


class _KernelLock:
    """Stands in for dnf's own lock, a file that holds the process id of who has it.

    Each of us lives in a process namespace of its own, where the others' ids mean nothing: dnf
    takes their locks for those of the dead, and removes them.
    """

    def __init__(self, target: str, description: str, blocking: bool = False) -> None:
        """Name the lock as dnf.lock.ProcessLock does; we always wait."""
        self._path = Path(target)
        self._held = locked(self._path)

    def __enter__(self) -> None:
        self._held.__enter__()

    def __exit__(self, *details: Any) -> None:
        self._path.unlink(missing_ok=True)  # some lie in the tree
        self._held.__exit__(None, None, None)


def use_kernel_locks() -> None:
    """Have dnf take these instead of its own."""
    dnf.lock.ProcessLock = _KernelLock
