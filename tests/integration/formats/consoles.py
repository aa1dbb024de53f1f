"""Starts QEMU without network for a test and waits for a guest's login prompt on its console."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from host.run import guarded, kill_group, run
from validate.boot.console import Console

_NO_MARKER = "\0"
"""Nobody waits for what cloud-init says in the end."""


@dataclass
class Watched:
    """A running QEMU. log: everything that it wrote to its serial port."""

    process: subprocess.Popen[bytes]
    console: Console
    log: Path

    def until_login(self, limit_s: float, dead_end: str = "\0") -> str:
        """Wait for a login prompt and return all that the console showed until then.

        Fails with the last lines when the guest panics, ends, takes longer, or a dead end shows.
        """
        end = time.monotonic() + limit_s
        while not self.console.prompt:
            tail = "\n".join(self.console.tail)
            assert self.console.fatal is None, f"{self.console.fatal}\n{tail}"
            assert not any(dead_end in line for line in self.console.tail), tail
            assert self.process.poll() is None, f"QEMU ended\n{tail}"
            assert time.monotonic() < end, f"no login prompt within {limit_s:.0f} s\n{tail}"
            time.sleep(0.5)
        return self.log.read_text(errors="replace").replace("\r", "")


@contextmanager
def watched(argv: Sequence[str | Path], folder: Path) -> Iterator[Watched]:
    """Run QEMU, emulating a processor, for the block; folder: takes serial.log."""
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
             "-nic", "none", "-serial", "stdio", "-monitor", "none",
             "-machine", "q35", "-accel", "tcg,thread=multi", "-smp", "2", *argv]
    process = subprocess.Popen(
        guarded(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )
    assert isinstance(process.stdout, BufferedReader)
    console = Console(process.stdout, folder / "serial.log", _NO_MARKER)
    try:
        yield Watched(process, console, folder / "serial.log")
    finally:
        kill_group(process)
        console.join()
        process.stdout.close()


def overlay(disk: Path, folder: Path) -> Path:
    """Return a disk that takes what a guest writes to a raw image, which stays as it is."""
    target = folder / "disk.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk.resolve(), target])
    return target


def drive(disk: Path) -> list[str]:
    """Return QEMU's words for an overlay as the first virtio disk."""
    return ["-drive", f"if=none,id=disk,file={disk},format=qcow2,cache=unsafe",
            "-device", "virtio-blk-pci,drive=disk"]
