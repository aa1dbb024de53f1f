"""One start of bubblewrap: what is mounted where, what runs inside, and how much that may use.

Whatever a tree's programs, a script or a scriptlet do, runs through here. What encloses them:
namespaces, places that are checked first (places.py), few capabilities (capabilities.py), a filter
of system calls (filters.py), a machine that is not the host's (machine.py, proc.py), and bounds
(host/watch.py). Neither the environment nor the command line of the first process tells of us.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from builder.sandbox import capabilities, proc
from builder.sandbox.filters import Kind, filter_file
from builder.sandbox.machine import HOST_NAME, answered, kernel_release
from builder.sandbox.over import raise_over
from builder.sandbox.places import Places, places
from host.beneath.root import Root
from host.errors import LimitError, ProgramError
from host.run import Completed, log, missing, run
from host.terminal import Terminal
from host.watch import Limits, watched
from images.bounds import DEFAULTS, Bounds

# What programs look for in /sys. The host's own would show its disks, its firmware (grub2-mkconfig
# looks there) and its cgroups, and make the image depend on them.
_SYSTEM_FOLDERS = (
    "block", "bus", "class/block", "class/net", "dev/block", "devices", "firmware", "fs", "kernel",
    "module", "power",
)
_TMPFS_BYTES = str(2 << 30)  # a bound of its own: what is unmounted and held open is not seen


@dataclass(frozen=True)
class Use:
    """How a program is run.

    who: what it is called in messages. counted: folders whose content counts against the bounds.
    time_s: None means the bounds'. largest_file_bytes: no file may grow beyond it: a script that
    fills its disk with zeroes, to make the image small, would else fill the host's. merged: both
    outputs are one. terminal: what is printed there counts as output.
    """

    who: str
    kind: Kind = "scripts"
    bounds: Bounds = DEFAULTS
    counted: Sequence[Path] = ()
    time_s: float | None = None
    largest_file_bytes: int | None = None
    stdin: str | Iterable[str] | None = None
    on_line: Callable[[str], None] | None = None
    check: bool = True
    merged: bool = False
    terminal: Terminal | None = None


@dataclass
class Enclosure:
    """A sandbox in the making; the order of the calls is that of the mounts.

    kernel_of: the tree whose newest kernel is the running one.
    """

    places: Places
    kernel_of: Root
    _words: list[str] = field(default_factory=list)
    _files: list[int] = field(default_factory=list)
    _tmpfs: list[str] = field(default_factory=list)
    _programs: set[str] = field(default_factory=set)

    def add(self, *words: str | Path) -> None:
        """Add an option that mounts nothing at a path of the tree's."""
        self._words += map(str, words)

    def show(self, inside: str, outside: Path, *, writable: bool = False) -> None:
        """Mount a file or folder of the host's; a file that can't be written is a copy of it."""
        place = self.places.take(inside, outside, is_writable=writable)
        if writable or outside.is_dir():
            self.add("--bind" if writable else "--ro-bind", outside, place)
            return
        descriptor = os.open(outside, os.O_RDONLY)
        self._files.append(descriptor)
        self.add("--perms", f"{os.fstat(descriptor).st_mode & 0o777:04o}", "--ro-bind-data",
                 str(descriptor), place)

    def show_program(self, inside: str, text: str) -> None:
        """Mount a script that can be run; the first one at a place stays."""
        place = self.places.take(inside, None, is_file=True)
        if place not in self._programs:  # two names of one, where /usr/sbin is a link
            self._programs.add(place)
            self.write(place, text, mode="0555")

    def new_folder(self, inside: str, *, is_plain: bool = False) -> None:
        """Mount an empty file system in memory; is_plain: no link may be on the way."""
        place = self.places.take(inside, None, is_plain=is_plain)
        self.add("--size", _TMPFS_BYTES, "--tmpfs", place)
        self._tmpfs.append(place)

    def show_device(self, inside: str, outside: Path) -> None:
        """Mount a device of the host's, below /dev."""
        self.add("--dev-bind", outside, self.places.take(inside, outside))

    def write(
        self, path: str, text: str, *, is_mount: bool = True, mode: str = "0444",
    ) -> None:
        """Show a file that can't be changed; is_mount: off for one in a new file system."""
        descriptor = os.memfd_create("text")
        self._files.append(descriptor)
        os.write(descriptor, text.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        self.add("--perms", mode, "--ro-bind-data" if is_mount else "--file", str(descriptor),
                 path)

    def kernel_folders(
        self, root: str, *, kept_run: bool = False, texts: Mapping[str, str] | None = None,
    ) -> None:
        """Mount the kernel's folders below `root`; /sys must be sealed in the end.

        /proc is read-only as a whole: bubblewrap's own covers over /proc/sys and others could be
        unmounted from inside. /sys is empty but for the folders that programs look for.
        kept_run: /run is the tree's own folder. texts: of files in /proc and /sys.
        """
        base = root.rstrip("/")
        dev, folder, system = (self.places.take(f"{base}/{name}", None, is_plain=True)
                               for name in ("dev", "proc", "sys"))
        self.add("--dev", dev, "--proc", folder)
        release = kernel_release(self.kernel_of)
        self.add("--tmpfs", f"{folder}/sys")
        for name, text in proc.settings(release).items():
            self.write(f"{folder}/sys/{name}", text, is_mount=False)
        self.add("--ro-bind", f"/proc/{proc.RANDOM}", f"{folder}/{proc.RANDOM}")
        self.add("--remount-ro", f"{folder}/sys")
        for name in proc.empty_folders():
            self.add("--tmpfs", f"{folder}/{name}", "--remount-ro", f"{folder}/{name}")
        own = texts or {}
        for name, text in proc.texts(release).items():
            self.write(f"{folder}/{name}", own.get(f"/proc/{name}", text))
        self.add("--remount-ro", folder, "--size", _TMPFS_BYTES, "--tmpfs", system)
        self._tmpfs += [dev, system]
        if not kept_run:
            self.new_folder(f"{base}/run", is_plain=True)
        for name in _SYSTEM_FOLDERS:
            self.add("--dir", f"{system}/{name}")
        for name, text in own.items():
            if name.startswith("/sys/"):
                self.write(f"{system}{name.removeprefix('/sys')}", text, is_mount=False)

    def run(
        self, argv: Sequence[str | Path], settings: Mapping[str, str], use: Use, *,
        folder: str = "/", network: bool = False,
    ) -> Completed:
        """Run a program to its end.

        settings: its whole environment. folder: where it starts. network: the host's own.
        Raises ProgramError; InputError or HostError that names the bound that was broken.
        """
        bounds, asked = use.bounds, [str(word) for word in argv]
        limits = Limits(bounds.processes, bounds.memory_bytes, bounds.space_bytes, bounds.files)
        with (filter_file(use.kind) as filtered, answered(self.kernel_of) as starter,
              watched(limits, use.counted, self._tmpfs) as watch):
            self.add("--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
                     "--unshare-cgroup-try", "--hostname", HOST_NAME, *capabilities.options(),
                     *([] if network else ["--unshare-net"]), "--seccomp", str(filtered),
                     "--info-fd", str(watch.info), "--block-fd", str(watch.go),
                     "--chdir", folder, "--clearenv")
            for name, value in settings.items():
                self.add("--setenv", name, value)
            told = _told(self._words)
            self._files.append(told)
            log.debug("bwrap %s", shlex.join(self._words))
            time_s = use.time_s or bounds.time_s
            try:
                done = run(
                    [*_limits(use.largest_file_bytes), _path("setpriv"),
                     *capabilities.bounding(), "--", _path("bwrap"), "--args", str(told), "--",
                     *asked],
                    stdin=use.stdin, timeout_s=time_s, on_line=use.on_line, check=False,
                    pass_fds=[filtered, watch.info, watch.go, *self._files], starter=starter,
                    output_bytes=bounds.output_bytes, own_environment=False, merged=use.merged,
                    terminal=use.terminal)
            except LimitError as error:
                raise_over(error.bound, use.who, bounds, time_s, error.why, cause=error)
        if over := watch.over or watch.growth.at_end(failed=done.status != 0, said=done.tail):
            raise_over(over, use.who, bounds, time_s, "; ".join(done.tail[-4:]))
        if use.check and done.status != 0:  # what failed is the program inside, not bubblewrap
            raise ProgramError(asked, done.status, done.tail)
        return done

    def close(self) -> None:
        """Let go of the files that were shown."""
        for descriptor in self._files:
            os.close(descriptor)


@contextmanager
def enclosure(root: Path | None, kernel_of: Path | None = None) -> Iterator[Enclosure]:
    """Yield a sandbox in the making. root: what is at /, None for an empty file system."""
    with places(root) as found:
        made = Enclosure(found, Root(kernel_of or root or Path("/nonexistent")))
        try:
            if root:
                made.add("--bind", root, "/")
            yield made
        finally:
            made.close()


def _limits(largest_file_bytes: int | None) -> list[str]:
    """Return the words before bubblewrap; the signal is ignored, so that only the write fails."""
    if largest_file_bytes is None:
        return []
    return [_path("prlimit"), f"--fsize={largest_file_bytes}", _path("env"), "--ignore-signal=XFSZ"]


@cache
def _path(program: str) -> str:
    """Return where a program of the host's is: there is no PATH when it is started."""
    found = shutil.which(program)
    if found is None:
        raise missing(program)
    return found


def _told(words: Sequence[str]) -> int:
    """Return a descriptor from which bubblewrap reads its options, so that nobody else can."""
    descriptor = os.memfd_create("options")
    os.write(descriptor, b"".join(os.fsencode(word) + b"\0" for word in words))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
