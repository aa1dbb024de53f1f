"""A guest's serial console: kept, bounded; a failed boot is noticed, a passphrase given."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from io import BufferedReader, BufferedWriter, RawIOBase
from pathlib import Path

from host.patterns import pattern

LOG_BYTES_MAX = 8 << 20
"""So much of a console is kept; a guest that says more has lost its way: a boot says 100 KiB."""
TAIL_LINES = 25
_LINE_BYTES_MAX = 4096

FATAL = [
    (pattern(expression), meaning) for expression, meaning in (
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
        (r"No bootable device|Boot failed: not a bootable disk|No bootable option or device",
         "the firmware found nothing to boot"),
        (r"UEFI Interactive Shell|^Shell>", "the firmware found no UEFI boot loader"),
        (r"Too many attempts to activate|Failed to start (systemd-cryptsetup@|Cryptography Setup)",
         "the key does not open the disk"),
        (r"systemd-shutdown\[1\]: |reboot: (Power down|System halted)", "the guest shut down"),
    )
]

_TROUBLE = pattern(r"^\[(FAILED| TIME |DEPEND)\] |Timed out waiting for device ")
"""How systemd says on a console that a unit failed, came too late, or lacks what it needs."""
_LATE = pattern(r"Timed out waiting for device ")
_TROUBLES_MAX = 12

QUESTION = pattern(r"(Please enter|Enter) (passphrase|recovery key) for |Password \(/dev/\S+\)")
"""How systemd-ask-password, cryptsetup, GRUB and an initramfs without systemd ask for a key."""

_TRIES = 3
_QUESTIONS_MAX = 12
_KEYS_MAX = 16
_KEY = pattern(r"((?:ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+)")
_TYPE_AFTER_S = 1.0
"""What is typed before whoever asked has switched off the echo may be lost, or shown."""

_ESCAPES = pattern(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][0-9A-Z]|[=>c])|\r|\x00")
_KEYS_BEGIN, _KEYS_END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


class Console:
    """The serial console of one guest, read by a thread of its own until QEMU closes it.

    keyboard: what is written there the guest reads; answer: what is typed when it asks for a
    passphrase, None when there is nothing to type. The answer is kept out of log and tail.
    """

    def __init__(
        self, pipe: BufferedReader, log_path: Path, marker: str, *,
        keyboard: RawIOBase | BufferedWriter | None = None, answer: bytes | None = None,
    ) -> None:
        self._marker = marker
        self._keyboard = keyboard
        self._answer = answer
        self._asked: list[str] = []
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._troubles: list[str] = []
        self._keys: list[str] = []
        self._in_keys = False
        self._listener: threading.Thread | None = None
        self.fatal: str | None = None
        self.unanswered: str | None = None
        self.ready = threading.Event()
        self.last_line = ""
        self.prompt = False
        self._thread = threading.Thread(target=self._read, args=(pipe, log_path), daemon=True)
        self._thread.start()

    def listen(self, firmware: BufferedReader) -> None:
        """Notice what the firmware says elsewhere: a BIOS tells its troubles to a screen only."""
        self._listener = threading.Thread(target=self._overhear, args=(firmware,), daemon=True)
        self._listener.start()

    def _overhear(self, firmware: BufferedReader) -> None:
        with suppress(OSError, ValueError):  # closed while it is read, as at the end of a boot
            while raw := firmware.readline(_LINE_BYTES_MAX):
                self._notice(_text(raw.rstrip(b"\n")))

    @property
    def host_keys(self) -> list[str]:
        """The public host keys that cloud-init printed ("type base64"), none if it did not."""
        return list(self._keys)

    @property
    def tail(self) -> list[str]:
        """The last lines, without control characters."""
        return list(self._tail)

    @property
    def troubles(self) -> list[str]:
        """The first units that failed, in systemd's words, without control characters."""
        return list(self._troubles)

    @property
    def waited_in_vain(self) -> bool:
        """Whether systemd gave up waiting for a device, as it does after a minute and a half."""
        return any(_LATE.search(line) for line in self._troubles)

    def join(self) -> None:
        """Wait until everything is read; call it when QEMU has ended."""
        self._thread.join(timeout=5)
        if self._listener is not None:
            self._listener.join(timeout=5)

    def _read(self, pipe: BufferedReader, log_path: Path) -> None:
        said_bytes, waiting, answered = 0, b"", False
        with log_path.open("wb") as log:
            while chunk := pipe.read1(_LINE_BYTES_MAX):
                said_bytes += len(chunk)
                if said_bytes > LOG_BYTES_MAX:
                    self.fatal = self.fatal or "the guest floods its console"
                    continue  # it is drained, and no longer listened to
                *lines, waiting = (waiting + chunk).split(b"\n")
                if len(waiting) > _LINE_BYTES_MAX:
                    lines, waiting = [*lines, waiting], b""
                if lines:
                    log.write(self._without_answer(b"\n".join(lines)) + b"\n")
                for line in filter(None, lines):
                    self._take(line)
                log.flush()
                answered = answered and not lines
                last = _text(waiting)
                self._notice(last)  # a prompt has no line's end
                if not answered and (match := QUESTION.search(last)):
                    answered = True
                    self._reply(last[match.start():])
            log.write(self._without_answer(waiting))
        self._take(waiting)

    def _without_answer(self, line: bytes) -> bytes:
        return line.replace(self._answer, b"***") if self._answer else line

    def _reply(self, question: str) -> None:
        """Type the answer to a question that has no line's end yet, a few times at most."""
        # "(press TAB for no echo)" may come a moment later, so only the beginning is compared.
        name = question.partition(":")[0]
        self._asked.append(name)
        if len(self._asked) > _QUESTIONS_MAX:
            self._asked.pop()
            self.fatal = self.fatal or "the guest asks for passphrases without an end"
        elif self._answer is None or self._keyboard is None:
            self.unanswered = self.unanswered or name
        elif self._asked.count(name) > _TRIES:
            self.fatal = self.fatal or "the key does not open the disk"
        else:
            time.sleep(_TYPE_AFTER_S)
            # Enter is a carriage return on a serial line.
            with suppress(OSError):
                self._keyboard.write(self._answer + b"\r")
                self._keyboard.flush()

    def _take(self, raw: bytes) -> None:
        line = _text(raw)
        if not line.strip():
            return
        self.last_line = _text(self._without_answer(raw))
        self._tail.append(self.last_line)
        if _TROUBLE.search(self.last_line) and len(self._troubles) < _TROUBLES_MAX:
            self._troubles.append(self.last_line)
        self._take_keys(line)
        self._notice(line)

    def _notice(self, line: str) -> None:
        self.prompt = self.prompt or " login:" in line
        if self._marker in line:
            self.ready.set()
        if self.fatal is None:
            self.fatal = next((text for form, text in FATAL if form.search(line)), None)

    def _take_keys(self, line: str) -> None:
        if _KEYS_BEGIN in line:
            self._in_keys, self._keys = True, []
        elif _KEYS_END in line:
            self._in_keys = False
        elif self._in_keys and len(self._keys) < _KEYS_MAX and (match := _KEY.search(line)):
            self._keys.append(match[1])


def _text(line: bytes) -> str:
    return _ESCAPES.sub("", line.decode(errors="replace"))[:_LINE_BYTES_MAX]
