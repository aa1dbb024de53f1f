"""Runs programs inside a root tree: own mounts, processes, host name and network, no host in sight.

bubblewrap makes the namespaces; its --die-with-parent ends everything inside when a build is
killed. The capabilities that could change the running host are dropped, and a seccomp filter
(builder/tree/filters.py) refuses what the others could still do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.tree.filters import script_filter
from host.errors import ProgramError
from host.run import Completed, run

# chroot(2)-like work needs most of root's rights; these would reach the host's kernel.
_DROPPED = (
    "CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_SYSLOG",
    "CAP_WAKE_ALARM", "CAP_MAC_OVERRIDE", "CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN",
    "CAP_SYS_PACCT", "CAP_SYS_TTY_CONFIG", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_CONTROL",
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""What Python compiles by itself while a build runs its programs belongs to no package, and is not
the same each time (https://github.com/python/cpython/issues/78274). `python3 -m compileall` does
as ever."""
# What programs look for in /sys. The host's own would show its disks, its firmware (grub2-mkconfig
# looks there) and its cgroups, and make the image depend on them.
_SYSTEM_FOLDERS = (
    "block", "bus", "class/block", "class/net", "dev/block", "devices", "firmware", "fs", "kernel",
    "module", "power",
)


@dataclass(frozen=True)
class Sandbox:
    """A root tree in which programs may run.

    root: the tree, seen at /. binds: host files or folders shown inside, read-only.
    writable: the same, to be written. devices: block devices by their names inside.
    links: symbolic links made in the sandbox's own folders, such as /dev/disk/by-uuid/….
    epoch: SOURCE_DATE_EPOCH for what honours it, so that reruns give the same bytes.
    path: folders of programs that are looked at first.
    kept_run: /run is the tree's own folder, which is kept, instead of an empty one.
    environment: variables for every program.
    guests: folders inside that are root trees, too, and get the kernel's folders.
    largest_file_bytes: no file may grow beyond it (setrlimit(2), RLIMIT_FSIZE): a script that
    fills its disk with zeroes, to make the image small, would else fill the host's.
    """

    root: Path
    epoch: int
    binds: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    writable: Mapping[str, Path] = field(default_factory=dict)
    devices: Mapping[str, Path] = field(default_factory=dict)
    path: str | None = None
    kept_run: bool = False
    guests: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    largest_file_bytes: int | None = None

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = 1800,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run one program of the tree; parameters and errors are those of host.run.run."""
        settings = {
            "PATH": f"{self.path}:{_PATH}" if self.path else _PATH, "HOME": "/root",
            "TERM": "dumb", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": str(self.epoch), **NO_BYTECODE, **self.environment, **(env or {}),
        }
        words: list[str | Path] = [
            *_limits(self.largest_file_bytes), "bwrap", "--bind", self.root, "/",
            *isolation("/", kept_run=self.kept_run)]
        for option, places in (("--ro-bind", self.binds), ("--bind", self.writable),
                               ("--dev-bind", self.devices)):
            for inside, outside in places.items():
                words += [option, outside, inside]
        for guest in self.guests:
            words += [*_kernel_folders(guest), "--remount-ro", f"{guest}/sys"]
        for link, target in self.links.items():
            words += ["--symlink", target, link]
        words += ["--remount-ro", "/sys"]
        if self.network:
            words += ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
        else:
            words += ["--unshare-net"]
        words += ["--chdir", "/", "--clearenv"]
        for name, value in settings.items():
            words += ["--setenv", name, value]
        try:
            with script_filter() as descriptor:
                words += ["--seccomp", str(descriptor)]
                return run([*words, "--", *argv], stdin=stdin, timeout_s=timeout_s,
                           on_line=on_line, check=check, pass_fds=[descriptor])
        except ProgramError as error:  # what failed is the program inside, not bubblewrap
            raise ProgramError([str(word) for word in argv], error.status, error.tail) from error

    def has(self, program: str) -> bool:
        """Say whether the tree has a program, given by its path from the root."""
        path = self.root / program.lstrip("/")
        return path.is_file() or path.is_symlink()


def _limits(largest_file_bytes: int | None) -> list[str]:
    """Return the words before bubblewrap; the signal is ignored, so that only the write fails."""
    if largest_file_bytes is None:
        return []
    return ["prlimit", f"--fsize={largest_file_bytes}", "env", "--ignore-signal=XFSZ"]


def isolation(root: str, *, kept_run: bool = False) -> list[str]:
    """Return bubblewrap's options for namespaces and for the kernel's folders below `root`.

    /proc is read-only as a whole: bubblewrap's own covers over /proc/sys and others could be
    unmounted from inside. /sys is empty but for the folders that programs look for.
    """
    words = [
        "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-add", "ALL",
        *_kernel_folders(root, kept_run=kept_run),
    ]
    for capability in _DROPPED:
        words += ["--cap-drop", capability]
    return words


def _kernel_folders(root: str, *, kept_run: bool = False) -> list[str]:
    base = root.rstrip("/")
    words = [
        "--dev", f"{base}/dev", "--proc", f"{base}/proc", "--remount-ro", f"{base}/proc",
        "--tmpfs", f"{base}/sys",
    ]
    if not kept_run:
        words += ["--tmpfs", f"{base}/run"]
    for folder in _SYSTEM_FOLDERS:
        words += ["--dir", f"{base}/sys/{folder}"]
    return words
