"""Watches what runs in a process namespace, and ends all of it when it goes over a bound.

A control group stops a fork bomb at once (host/process_group.py), but not every host lets us make
one, none bounds files and space, and setrlimit(2) does not bind root: RLIMIT_NPROC is not looked at
for user 0 (kernel/fork.c). So a thread looks five times a second, in real time, so that a thousand
processes that want a processor can't keep it from one. It kills the namespace's first process, and
the kernel then kills the others (pid_namespaces(7)).
"""

from __future__ import annotations

import os
import re
import select
import signal
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from host.beneath.openat2 import open_inside
from host.growth import Growth
from host.process_group import enter, is_full, process_group

_EVERY_MS = 200
_INODE_BYTES = 1024  # what a file on a tmpfs costs beside its content


@dataclass(frozen=True)
class Limits:
    """What all processes of a namespace may use together.

    processes: threads count. memory_bytes: without what files in a cache take; files on a tmpfs
    are memory. space_bytes, files: what lies in the watched folders.
    """

    processes: int
    memory_bytes: int
    space_bytes: int
    files: int


@dataclass
class Watch:
    """A watch that is going.

    over: the name of the bound that was broken, a field of Limits, or "room" or "full" for a host's
    disk that nearly has, or has, nothing left.
    info: descriptor for the starting program to say the first process in (bwrap --info-fd).
    go: descriptor that it waits for, before it starts what is watched (bwrap --block-fd).
    group: the control group of that, if there is one.
    """

    limits: Limits
    growth: Growth
    info: int
    go: int
    group: Path | None
    over: str | None = None
    _first: int = -1
    _namespace: str = ""
    _known: dict[int, bool] = field(default_factory=dict)
    _tmpfs: list[int] = field(default_factory=list)

    def follow(self, info: int, start: int, stop: int, tmpfs: Sequence[str]) -> None:
        """Look until the end.

        info: descriptor to read from. start: one to write to. stop: one that ends it.
        """
        with suppress(OSError):  # this thread alone, and none of its children
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        poll = select.poll()
        poll.register(stop, select.POLLIN)
        poll.register(info, select.POLLIN)
        said = b""
        while self._first < 0 and all(found != stop for found, _ in poll.poll()):
            said += os.read(info, 4096)
            if known := re.search(rb'"child-pid": (\d+)\D', said):
                try:
                    self._begin(int(known[1]), tmpfs)
                except OSError:  # it has ended already
                    break
        poll.unregister(info)
        os.write(start, b".")
        try:
            while self._first >= 0 and self.over is None and not poll.poll(_EVERY_MS):
                self.over = self._broken()
                if self.over:
                    self._kill()
        except BaseException:
            self._kill()  # nothing goes on unwatched
            raise
        finally:
            for descriptor in (self._first, *self._tmpfs):
                if descriptor >= 0:
                    os.close(descriptor)

    def _begin(self, pid: int, tmpfs: Sequence[str]) -> None:
        self._first = os.pidfd_open(pid)
        self._namespace = os.readlink(f"/proc/{pid}/ns/pid")
        self._pid, self._waiting = pid, list(tmpfs)
        if self.group:
            enter(self.group, pid)

    def _kill(self) -> None:
        with suppress(OSError):
            signal.pidfd_send_signal(self._first, signal.SIGKILL)

    def _broken(self) -> str | None:
        """Return the bound that is broken now."""
        if self.group and is_full(self.group):
            return "processes"
        tasks = memory_bytes = 0
        members = self._members()
        if len(members) > self.limits.processes:  # looking at each takes time in which they fork
            return "processes"
        for pid in members:
            threads, used_bytes = _usage(pid)
            tasks += threads
            memory_bytes += used_bytes
        if tasks > self.limits.processes:
            return "processes"
        files_bytes = self._on_tmpfs()
        if memory_bytes + files_bytes > self.limits.memory_bytes:
            exact_bytes = sum(_proportional(pid) for pid in members)  # pages are shared by forks
            if exact_bytes + files_bytes > self.limits.memory_bytes:
                return "memory_bytes"
        return self.growth.broken(lambda: _unlinked(members))

    def _members(self) -> list[int]:
        """Return the processes of the namespace."""
        there = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        for pid in self._known.keys() - there:
            del self._known[pid]
        for pid in there - self._known.keys():
            with suppress(OSError):
                self._known[pid] = os.readlink(f"/proc/{pid}/ns/pid") == self._namespace
        return [pid for pid, is_member in self._known.items() if is_member]

    def _on_tmpfs(self) -> int:
        """Return the bytes that files in the namespace's own tmpfs take.

        The folders are opened once and held, whatever is unmounted later.
        """
        if not self._waiting:
            return self._held_bytes()
        with suppress(OSError):
            table = Path(f"/proc/{self._pid}/mountinfo").read_text(errors="replace")
            devices = set(re.findall(r"(?m)^\d+ \d+ (\d+:\d+) .* - tmpfs ", table))
            for folder in list(self._waiting):
                self._hold(folder, devices)
        return self._held_bytes()

    def _held_bytes(self) -> int:
        found = [os.fstatvfs(descriptor) for descriptor in self._tmpfs]
        return sum((each.f_blocks - each.f_bfree) * each.f_frsize
                   + (each.f_files - each.f_ffree) * _INODE_BYTES for each in found)

    def _hold(self, folder: str, devices: set[str]) -> None:
        top = os.open(f"/proc/{self._pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = open_inside(top, folder, os.O_PATH, links=False)
        finally:
            os.close(top)
        device = os.fstat(found).st_dev
        if f"{os.major(device)}:{os.minor(device)}" in devices:  # else it was unmounted already
            self._tmpfs.append(found)
        else:
            os.close(found)
        self._waiting.remove(folder)


@contextmanager
def watched(
    limits: Limits, folders: Sequence[Path], tmpfs: Sequence[str] = (),
) -> Iterator[Watch]:
    """Watch a namespace that is made in the block.

    folders: what lies in them counts as its files and space. tmpfs: folders, as it sees them, that
    are file systems in memory.
    """
    pipes = (info, said), (go, start), (stop, stopping) = [
        os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    growth = Growth(folders, limits.space_bytes, limits.files)
    with process_group(limits.processes) as group:
        watch = Watch(limits, growth, said, go, group)
        thread = threading.Thread(
            target=watch.follow, args=(info, start, stop, tmpfs), daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            os.write(stopping, b".")
            thread.join()
            for pipe in pipes:
                for descriptor in pipe:
                    os.close(descriptor)


def _usage(pid: int) -> tuple[int, int]:
    """Return a process's threads, and its memory in bytes, shared pages counted in full."""
    try:
        text = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0, 0
    fields = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)
    threads = int(fields.get(b"Threads", b"1"))
    kib = sum(int(fields[name].split()[0]) for name in (b"RssAnon", b"RssShmem", b"VmSwap")
              if name in fields)
    return threads, kib * 1024


def _proportional(pid: int) -> int:
    """Return a process's memory, of shared pages its share (proc(5), smaps_rollup)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return 0
    return 1024 * sum(
        int(line.split()[1]) for line in text.splitlines()
        if line.startswith((b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")))


def _unlinked(members: Sequence[int]) -> int:
    """Return the bytes of files that have no name any more and are held open."""
    found: dict[tuple[int, int], int] = {}
    for pid in members:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = os.stat(f"/proc/{pid}/fd/{name}")
                    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                        found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(found.values())
