"""A control group that bounds processes, where this host lets us make one.

It is what stops a fork bomb before it is one; host/watch.py sees that it was met. Both versions of
control groups have the same files for it (Documentation/admin-guide/cgroup-v1/pids.rst and
cgroup-v2.rst, "PID"). Where nothing can be made (in most containers), there is none.
"""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "ccis-"
_used: set[Path] = set()
_places: set[Path] = set()
"""Where we made groups."""


@contextmanager
def process_group(processes: int) -> Iterator[Path | None]:
    """Yield the folder of a new group with at most so many processes, threads included.

    It must be empty at the end of the block. None: this host lets us make none.
    """
    made = _make(processes)
    try:
        yield made
    finally:
        if made:
            _used.discard(made)
            with suppress(OSError):  # the last process is still on its way out: _sweep() gets it
                made.rmdir()


def enter(group: Path, pid: int) -> None:
    """Put a process into a group, with all that it starts from now on. Raises OSError."""
    (group / "cgroup.procs").write_text(f"{pid}\n", encoding="ascii")


def is_full(group: Path) -> bool:
    """Say whether a group has, or ever had, to refuse a new process."""
    try:
        text = (group / "pids.events").read_text(encoding="ascii")
    except OSError:
        return False
    return any(int(number) > 0 for number in re.findall(r"^max (\d+)", text, re.MULTILINE))


def _make(processes: int) -> Path | None:
    for parent in _parents():
        _sweep(parent)
        group = parent / f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        _used.add(group)  # first: another thread may sweep
        try:
            group.mkdir()
            _places.add(parent)
            (group / "pids.max").write_text(f"{processes}\n", encoding="ascii")
        except OSError:  # it can't be written, or has no such controller
            _used.discard(group)
            with suppress(OSError):
                group.rmdir()
            continue
        return group
    return None


def _parents() -> Iterator[Path]:
    """Yield folders where a group might be made, our own first, then those above it.

    In version 2, a group with processes in it has none below that is bounded; its siblings may be.
    """
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers and "pids" not in controllers.split(","):
            continue
        kind = "cgroup" if controllers else "cgroup2"
        for row in mounts.splitlines():
            place, _, what = row.partition(" - ")
            fstype, _, options = what.split(" ")[:3]
            if fstype != kind or (controllers and "pids" not in options.split(",")):
                continue
            top = Path(place.split(" ")[4])
            inside = Path(own.lstrip("/"))
            yield from (top / each for each in (inside, *inside.parents))


def _sweep(parent: Path) -> None:
    """Remove our own groups that are not used any more, and those of killed makers."""
    for left in set(parent.glob(f"{_PREFIX}*")) - _used:
        maker = left.name.removeprefix(_PREFIX).partition("-")[0]
        if maker == str(os.getpid()) or (maker.isdecimal() and not Path("/proc", maker).exists()):
            with suppress(OSError):
                left.rmdir()


@atexit.register
def _leave_none() -> None:
    for parent in _places:
        _sweep(parent)
