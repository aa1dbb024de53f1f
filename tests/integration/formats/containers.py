"""What runs containers in the tests: podman and LXC, each with a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def output(*words: str | Path, timeout_s: float = 300, feed: str | None = None) -> str:
    """Run a program and return what it prints; a failure shows all of it."""
    done = subprocess.run(
        list(words), capture_output=True, text=True, timeout=timeout_s, input=feed, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Podman:
    """podman as this host can run it (facts.md): no mounts of its own, no network, runc."""

    folder: Path

    def __call__(self, *words: str | Path, feed: str | None = None) -> str:
        return output(
            "podman", "--root", self.folder / "root", "--runroot", self.folder / "run",
            "--tmpdir", self.folder / "tmp", "--storage-driver", "vfs", "--runtime", "runc",
            "--cgroup-manager", "cgroupfs", "--events-backend", "file", *words, feed=feed)

    def run(self, image: str, *command: str, feed: str | None = None) -> str:
        """Run a command in a new container of an image and remove the container."""
        return self(
            "run", "--rm", "--interactive", "--network", "host", "--pull", "never",
            "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", image, *command,
            feed=feed)


@contextmanager
def podman() -> Iterator[Podman]:
    """Give the block a podman, and remove its images afterwards: each layer is a whole copy.

    Its folder is not pytest's, whose names are longer than the 50 characters podman allows.
    """
    folder = Path(tempfile.mkdtemp(prefix="podman-"))
    try:
        yield Podman(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Lxc:
    """A started container."""

    where: tuple[str | Path, ...]

    def attach(self, *command: str) -> str:
        return output("lxc-attach", *self.where, "--clear-env", "--", *command, timeout_s=120)

    def wait_for_target(self, target: str, timeout_s: float = 240) -> None:
        """Wait until systemd has reached a target; a failure shows what it waits for."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            done = subprocess.run(
                ["lxc-attach", *self.where, "--clear-env", "--", "systemctl", "is-active", target],
                capture_output=True, text=True, check=False, timeout=60)
            if done.stdout.strip() == "active":
                return
            time.sleep(1)
        raise AssertionError(f"{target} not reached: {self.attach('systemctl', 'list-jobs')}")


@contextmanager
def started(lxcpath: Path, name: str, *settings: str) -> Iterator[Lxc]:
    """Start a container for the block; afterwards it is stopped, whatever happened.

    settings: lines that overrule its configuration, such as lxc.net.0.type=empty.
    """
    where = ("--lxcpath", lxcpath, "--name", name)
    log = lxcpath / f"{name}.log"
    defines = [word for line in settings for word in ("--define", line)]
    try:
        done = subprocess.run(
            ["lxc-start", *where, "--daemon", "--logfile", log, "--logpriority", "INFO", *defines],
            capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{done.stderr}\n{log.read_text()}"
        yield Lxc(where)
    finally:
        subprocess.run(["lxc-stop", *where, "--kill"], check=False, timeout=120)
        subprocess.run(["lxc-wait", *where, "--state", "STOPPED", "--timeout", "60"], check=True)
