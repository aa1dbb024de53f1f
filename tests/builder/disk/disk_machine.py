"""A PC under QEMU that starts a disk image, as far as its serial port tells."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest


def serial_output(
    image: Path, until: str, *, log: Path, timeout_s: float, memory_mib: int = 128,
) -> str:
    """Start a PC with a BIOS and return what its serial port says, up to a word.

    image: a raw disk; nothing is written to it. log: a file for what is said.
    """
    with log.open("wb") as stream, subprocess.Popen([
        "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", str(memory_mib),
        "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot", "-snapshot",
        "-drive", f"file={image},format=raw,if=virtio",
    ], stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT) as machine:
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline and machine.poll() is None:
                text = log.read_text(errors="replace")
                if until in text:
                    return text
                time.sleep(0.1)
        finally:
            machine.kill()
    pytest.fail(f"{until!r} did not come; the serial port said: {log.read_text(errors='replace')}")
