"""Answers in the kernel's place what programs ask about the machine: uname(2), sysinfo(2), and
what a console is.

`dracut -f /boot/initramfs-$(uname -r).img` in %post means the image's own kernel, as it does in an
installation, and not the build host's. No namespace covers that. So the kernel asks us, by a filter
that is there before bubblewrap is (seccomp_unotify(2)), and every program gets the same answer,
static ones too. Linux 5.0 and later can do it. Terminals inside are no consoles (host/terminal.py),
but chvt(1), which many kickstarts call, is to be told that they are.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.sandbox import ioctls
from builder.sandbox.filters import call_number, listen, program
from host.beneath.root import Root
from host.errors import InputError
from host.run import Start

RELEASE = "6.12.0"
"""What the kernel is called where there is none yet: in an installer, in a container's tree."""

VERSION = "#1 SMP PREEMPT_DYNAMIC"
HOST_NAME = "localhost"
"""As an installer is called; %post's `hostname` may change it for the script that calls it."""

MEMORY_BYTES = 4 << 30
UPTIME_S = 600

# <linux/seccomp.h>; the binding receives for one filter of a process only (filters.py).
_RECEIVE, _SEND, _IS_VALID = 0xC0502100, 0xC0182101, 0x80082102
_NOTICE, _ANSWER = "=QIIiIQ6Q", "=QqiI"
_NAME_BYTES = 65  # each field of struct utsname

_CALLS = ("seccomp", "uname", "sysinfo", "sethostname", "setdomainname", "ioctl")
_PSEUDO_TERMINALS = range(136, 144)  # majors (Documentation/admin-guide/devices.txt)
# A keyboard with 101 keys; the first console is shown, it alone is in use (struct vt_stat).
_OF_CONSOLES = {ioctls.KEYBOARD: b"\2", ioctls.CONSOLES: struct.pack("=3H", 1, 0, 2)}


def kernel_release(root: Root) -> str:
    """Return the release of the newest kernel that a tree has, RELEASE where it has none.

    A link among the folders of modules is another name of a kernel, which none calls itself.
    """
    try:
        names = [name for name in root.names("/usr/lib/modules")
                 if root.is_folder(f"/usr/lib/modules/{name}", follow=False)]
        found = [name for name in names if root.exists(f"/boot/vmlinuz-{name}")] or [
            name for name in names if root.exists(f"/usr/lib/modules/{name}/vmlinuz")]
    except (OSError, InputError):  # a script made something else of these folders
        return RELEASE
    return max(found, key=_by_version, default=RELEASE)


def _by_version(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part)
            for part in re.findall(r"[0-9]+|[^0-9]+", name)]


@contextmanager
def answered(root: Root) -> Iterator[Callable[[Start], subprocess.Popen[bytes]]]:
    """Yield what starts a process for which we answer, with all that it starts, in the block.

    root: the tree whose newest kernel is the running one. It is the `starter` of host.run.run.
    Raises HostError when this kernel can't ask us.
    """
    desk = _Desk(root)
    try:
        yield desk.start
    finally:
        desk.close()


@dataclass
class _Desk:
    """A thread whose children have the filter: they must not outlive it (PR_SET_PDEATHSIG)."""

    root: Root
    host_name: bytes = HOST_NAME.encode()
    domain_name: bytes = b"(none)"
    _thread: threading.Thread | None = None
    _stop: tuple[int, int] = field(default_factory=lambda: os.pipe2(os.O_CLOEXEC))

    def start(self, start: Start) -> subprocess.Popen[bytes]:
        """Start a process below a filter of its own."""
        ready = threading.Event()
        made: list[subprocess.Popen[bytes] | BaseException] = []

        def work() -> None:
            try:
                listener = listen()
                made.append(start())
            except BaseException as error:  # whatever it is, it is raised where it is waited for
                made.append(error)
                return
            finally:
                ready.set()
            self._answer(listener)

        # Made out here: the thread is not to ask itself anything.
        for name in _CALLS:
            assert program("ask") and call_number(name) >= 0
        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        ready.wait()
        if isinstance(made[0], BaseException):
            raise made[0]
        return made[0]

    def close(self) -> None:
        """End the thread."""
        os.write(self._stop[1], b".")
        if self._thread:
            self._thread.join()
        for descriptor in self._stop:
            os.close(descriptor)

    def _answer(self, listener: int) -> None:
        poll = select.poll()
        poll.register(self._stop[0], select.POLLIN)
        poll.register(listener, select.POLLIN)
        try:
            while all(found != self._stop[0] for found, _ in poll.poll()):
                notice = bytearray(struct.calcsize(_NOTICE))
                try:
                    fcntl.ioctl(listener, _RECEIVE, notice, True)
                    identity, pid, _, call, _, _, *arguments = struct.unpack(_NOTICE, notice)
                    error = self._serve(listener, identity, pid, call, arguments)
                    fcntl.ioctl(listener, _SEND, struct.pack(_ANSWER, identity, 0, -error, 0))
                except OSError as gone:  # the process was killed meanwhile
                    if gone.errno not in (errno.ENOENT, errno.EINTR):
                        raise
        finally:
            os.close(listener)

    def _serve(
        self, listener: int, identity: int, pid: int, call: int, arguments: list[int],
    ) -> int:
        """Do what a call is to do; return its error, 0 for none."""
        try:
            memory = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return errno.EPERM
        try:
            fcntl.ioctl(listener, _IS_VALID, struct.pack("=Q", identity))  # still the same process
            if call == call_number("uname"):
                os.pwrite(memory, self._names(), arguments[0])
            elif call == call_number("sysinfo"):
                os.pwrite(memory, _system(), arguments[0])
            elif call == call_number("ioctl"):
                device = Path(f"/proc/{pid}/fd/{arguments[0] & 0xFFFFFFFF}").stat().st_rdev
                if os.major(device) not in _PSEUDO_TERMINALS:
                    return errno.ENOTTY
                os.pwrite(memory, _OF_CONSOLES[arguments[1] & 0xFFFFFFFF], arguments[2])
            elif arguments[1] >= _NAME_BYTES:
                return errno.EINVAL
            else:
                name = os.pread(memory, arguments[1], arguments[0])
                if call == call_number("sethostname"):
                    self.host_name = name
                else:
                    self.domain_name = name
        except FileNotFoundError:
            return errno.EBADF
        except (OSError, OverflowError):
            return errno.EFAULT
        finally:
            os.close(memory)
        return 0

    def _names(self) -> bytes:
        """Return struct utsname (uname(2))."""
        fields = (b"Linux", self.host_name, kernel_release(self.root).encode(), VERSION.encode(),
                  os.fsencode(_MACHINE), self.domain_name)
        return b"".join(each[:_NAME_BYTES - 1].ljust(_NAME_BYTES, b"\0") for each in fields)


_MACHINE = os.uname().machine  # asked before any thread has to answer for it


def _system() -> bytes:
    """Return struct sysinfo (sysinfo(2)): a machine of 4 GiB that does nothing else."""
    return struct.pack("@l3L6LHHLLI0L", UPTIME_S, 0, 0, 0, MEMORY_BYTES, MEMORY_BYTES * 3 // 4,
                       0, 0, 0, 0, 100, 0, 0, 0, 1)
