"""Runs programs inside a root tree: own mounts, processes, host name and network, no host in sight.

bubblewrap makes the namespaces; its --die-with-parent ends everything inside when a build is
killed. The capabilities that could change the running host are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from host.errors import ProgramError
from host.run import Completed, run

# chroot(2)-like work needs most of root's rights; these would reach the host's kernel.
_DROPPED = (
    "CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_SYSLOG",
    "CAP_WAKE_ALARM", "CAP_MAC_OVERRIDE", "CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN",
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


@dataclass(frozen=True)
class Sandbox:
    """A root tree in which programs may run.

    root: the tree, seen at /. binds: host files or folders shown inside, read-only.
    links: symbolic links made in the sandbox's own folders, such as /dev/disk/by-uuid/….
    epoch: SOURCE_DATE_EPOCH for what honours it, so that reruns give the same bytes.
    """

    root: Path
    epoch: int
    binds: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    network: bool = False

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
            "PATH": _PATH, "HOME": "/root", "TERM": "dumb", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": str(self.epoch), **(env or {}),
        }
        words: list[str | Path] = ["bwrap", "--bind", self.root, "/", *isolation("/")]
        for inside, outside in self.binds.items():
            words += ["--ro-bind", outside, inside]
        for link, target in self.links.items():
            words += ["--symlink", target, link]
        if self.network:
            words += ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
        else:
            words += ["--unshare-net"]
        words += ["--chdir", "/", "--clearenv"]
        for name, value in settings.items():
            words += ["--setenv", name, value]
        try:
            return run([*words, "--", *argv], stdin=stdin, timeout_s=timeout_s, on_line=on_line,
                       check=check)
        except ProgramError as error:  # what failed is the program inside, not bubblewrap
            raise ProgramError([str(word) for word in argv], error.status, error.tail) from error

    def has(self, program: str) -> bool:
        """Say whether the tree has a program, given by its path from the root."""
        path = self.root / program.lstrip("/")
        return path.is_file() or path.is_symlink()


def isolation(root: str) -> list[str]:
    """Return bubblewrap's options for namespaces and for the kernel's folders below `root`."""
    base = root.rstrip("/")
    words = [
        "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
        "--dev", f"{base}/dev", "--proc", f"{base}/proc", "--ro-bind", "/sys", f"{base}/sys",
        "--tmpfs", f"{base}/run", "--cap-add", "ALL",
    ]
    for capability in _DROPPED:
        words += ["--cap-drop", capability]
    return words
