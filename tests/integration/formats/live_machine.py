"""A machine with a medium in it, started by QEMU: its console is watched and typed at."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path

from host.run import guarded, kill_group
from validate.boot.console import Console
from validate.boot.firmware import uefi_firmware

MEMORY_MIB = 1536
# The rehearsal's kernel is Debian's for clouds: it knows IDE and virtio drives, no AHCI, no USB.
CD = ["-device", "ide-cd,drive=medium,bootindex=1"]
STICK = ["-device", "qemu-xhci", "-device", "usb-storage,drive=medium,bootindex=1"]
DISK = ["-device", "virtio-blk-pci,drive=medium,bootindex=1"]
TWIN = ["-device", "virtio-blk-pci,drive=twin"]


@dataclass
class Machine:
    """A running machine. serial: what it has written to its serial port."""

    process: subprocess.Popen[bytes]
    console: Console
    serial: Path

    def wait_for(self, pattern: str, limit_s: float) -> re.Match[str]:
        """Wait until the console shows something; fails with its last lines."""
        end = time.monotonic() + limit_s
        while True:
            shown = self.serial.read_text(errors="replace") if self.serial.exists() else ""
            # The log gets whole lines; a prompt has no line's end.
            if match := re.search(pattern, f"{shown}\n{self.console.last_line}"):
                return match
            tail = "\n".join(self.console.tail)
            assert self.console.fatal is None, f"{self.console.fatal}\n{tail}"
            assert self.process.poll() is None, f"QEMU ended\n{tail}"
            assert time.monotonic() < end, f"no {pattern!r} within {limit_s:.0f} s\n{tail}"
            time.sleep(0.5)

    def start(self, arguments: str, limit_s: float) -> None:
        """Press Enter at GRUB's menu, whenever it is there, and wait for the command line.

        On a crowded machine an emulated GRUB counts seconds of half a minute.
        """
        end = time.monotonic() + limit_s
        while not (self.serial.exists() and b"Command line:" in self.serial.read_bytes()):
            assert time.monotonic() < end, f"no kernel within {limit_s:.0f} s"
            self._type("\r")
            time.sleep(2)
        self.wait_for(rf"Command line: .*{arguments}", limit_s)

    def _type(self, text: str) -> None:
        assert isinstance(self.process.stdin, BufferedWriter)
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def ask(self, command: str, limit_s: float = 60) -> str:
        """Type a command and return what it printed, without its spaces at both ends."""
        number = time.monotonic_ns()
        # What is typed is shown, too: only what the shell makes of it has the number at the start.
        self._type(f"echo; echo a{number}a $({command}) b{number}b\r")
        return self.wait_for(rf"(?m)^a{number}a(.*)b{number}b", limit_s)[1].strip()


@contextmanager
def inserted(
    medium: Path, firmware: str, folder: Path, how: Sequence[str] = CD,
) -> Iterator[Machine]:
    """Start a machine that has nothing but this medium; what it writes to it is forgotten."""
    folder.mkdir(parents=True, exist_ok=True)
    backing = f"if=none,format=raw,file={medium.resolve()},file.locking=off"
    cd = "media=cdrom,readonly=on" if how is CD else "snapshot=on"
    words = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
        "-m", str(MEMORY_MIB), "-nic", "none", "-serial", "stdio", "-monitor", "none",
        "-device", "virtio-rng-pci", "-drive", f"{backing},id=medium,{cd}",
        *(["-drive", f"{backing},id=twin,snapshot=on"] if TWIN[1] in how else []), *how,
        *(_uefi(folder) if firmware == "uefi" else []),
    ]
    process = subprocess.Popen(
        guarded(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert isinstance(process.stdout, BufferedReader)
    log = folder / "serial.log"
    console = Console(process.stdout, log, "no marker is waited for")
    try:
        yield Machine(process, console, log)
    finally:
        kill_group(process)
        console.join()
        process.stdout.close()
        if process.stdin:
            process.stdin.close()


def _uefi(folder: Path) -> list[str]:
    code, template = uefi_firmware("x86_64")
    variables = folder / "variables.fd"
    shutil.copyfile(template, variables)
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={variables}"]
