"""Reads a guest's serial console: keeps it, bounded, and notices at once when a boot has failed."""

from __future__ import annotations

import re
import threading
from collections import deque
from io import BufferedReader
from pathlib import Path

LOG_BYTES_MAX = 32 << 20
TAIL_LINES = 25
_LINE_BYTES_MAX = 4096

FATAL = [
    (re.compile(pattern), meaning) for pattern, meaning in (
        (r"Kernel panic - not syncing", "the kernel panicked"),
        (r"You are in emergency mode|Entering emergency mode|Reached target .*Emergency Mode",
         "systemd went into emergency mode"),
        (r"Cannot open access to console, the root account is locked",
         "systemd wanted to go into emergency mode"),
        (r"Warning: Could not boot|Starting Dracut Emergency Shell",
         "the initramfs did not find the root file system"),
        # dracut may wait without limit; a disk that is not there after 3 minutes never comes.
        (r"Job dev-disk-\S*start running \(([3-9]|\d\d+)min",
         "the initramfs waits in vain for a file system"),
        (r"Gave up waiting for root", "the initramfs did not find the root file system"),
        (r"grub rescue>|^grub>", "GRUB did not find its configuration"),
        (r"No bootable device|Boot failed: not a bootable disk",
         "the firmware found nothing to boot"),
        (r"UEFI Interactive Shell|^Shell>", "the firmware found no UEFI boot loader"),
        (r"systemd-shutdown\[1\]: |reboot: (Power down|System halted)", "the guest shut down"),
    )
]

_ESCAPES = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][0-9A-Z]|[=>c])|\r|\x00")
_KEYS_BEGIN, _KEYS_END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


class Console:
    """The serial console of one guest, read by a thread of its own until QEMU closes it."""

    def __init__(self, pipe: BufferedReader, log_path: Path, marker: str) -> None:
        self._marker = marker
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._keys: list[str] = []
        self._in_keys = False
        self.fatal: str | None = None
        self.ready = threading.Event()
        self.last_line = ""
        self.prompt = False
        self._thread = threading.Thread(target=self._read, args=(pipe, log_path), daemon=True)
        self._thread.start()

    @property
    def host_keys(self) -> list[str]:
        """The public host keys that cloud-init printed ("type base64"), none if it did not."""
        return list(self._keys)

    @property
    def tail(self) -> list[str]:
        """The last lines, without control characters."""
        return list(self._tail)

    def join(self) -> None:
        """Wait until everything is read; call it when QEMU has ended."""
        self._thread.join(timeout=5)

    def _read(self, pipe: BufferedReader, log_path: Path) -> None:
        kept_bytes, waiting = 0, b""
        with log_path.open("wb") as log:
            while chunk := pipe.read1(_LINE_BYTES_MAX):
                if kept_bytes < LOG_BYTES_MAX:
                    log.write(chunk)
                    log.flush()
                    kept_bytes += len(chunk)
                *lines, waiting = (waiting + chunk).split(b"\n")
                if len(waiting) > _LINE_BYTES_MAX:
                    lines, waiting = [*lines, waiting], b""
                for line in lines:
                    self._take(_text(line))
                self._notice(_text(waiting))  # a prompt has no line's end
        self._take(_text(waiting))

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        self._tail.append(line)
        self.last_line = line
        self._take_keys(line)
        self._notice(line)

    def _notice(self, line: str) -> None:
        self.prompt = self.prompt or " login:" in line
        if self._marker in line:
            self.ready.set()
        if self.fatal is None:
            self.fatal = next((text for pattern, text in FATAL if pattern.search(line)), None)

    def _take_keys(self, line: str) -> None:
        if _KEYS_BEGIN in line:
            self._in_keys, self._keys = True, []
        elif _KEYS_END in line:
            self._in_keys = False
        elif self._in_keys and (match := re.search(r"((?:ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+)", line)):
            self._keys.append(match[1])


def _text(line: bytes) -> str:
    return _ESCAPES.sub("", line.decode(errors="replace"))[:_LINE_BYTES_MAX]
