"""The one place that starts libguestfs: disks and file systems are opened in its appliance only."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host import block
from host.errors import HostError, InputError, ProgramError
from host.kvm import host_kernels, kvm_works
from host.scratch import scratch_folder

log = logging.getLogger("ccis.appliance")

GuestFS = Any
"""A libguestfs handle; the binding carries no types."""

MEMORY_MIB = 1280
_going: set[str] = set()
"""The marks of the appliances that run now, in all threads."""
_EVENT_TAIL_LINES = 40


class ApplianceError(HostError):
    """The appliance did not start, or was too slow: by this host's fault, or by a disk's."""


@dataclass(frozen=True)
class Drive:
    """A disk for the appliance. The format is always said (host.block tells why).

    label: also gives it the name /dev/disk/guestfs/LABEL, which holds in a shell as well, where
    /dev/sda may be the appliance's own disk (libguestfs's calls translate, a shell does not).
    """

    path: Path
    format: block.Format
    label: str | None = None


@contextmanager
def open_appliance(
    drives: Sequence[Drive], *, readonly: bool, memory_mib: int = MEMORY_MIB,
    timeout_s: float = 900,
) -> Iterator[GuestFS]:
    """Start the appliance with these drives (/dev/sda, …), yield its handle, and end it.

    readonly: the files stay untouched; what is written goes to an overlay that is thrown away.
    timeout_s: the appliance is killed when the whole block takes longer; the call at hand then
    raises RuntimeError, as any failing libguestfs call does, and the block ends in ApplianceError.

    Should this process be killed, libguestfs's recovery process kills QEMU within 2 s.
    Raises HostError when libguestfs or a kernel for it is missing, ApplianceError when it doesn't
    start.
    """
    g = _handle()
    tail: deque[str] = deque(maxlen=_EVENT_TAIL_LINES)
    mark = f"ccis.appliance={secrets.token_hex(8)}"
    late = threading.Event()

    def kill() -> None:
        late.set()
        _kill_marked(mark)

    watchdog = threading.Timer(timeout_s, kill)
    watchdog.daemon = True
    with scratch_folder("appliance") as folder:
        try:
            _configure(g, tail, folder, mark, memory_mib)
            for number, drive in enumerate(drives):
                given = _over(drive, folder / f"overlay-{number}.qcow2") if readonly else drive
                g.add_drive_opts(
                    str(given.path), format=given.format, readonly=0, cachemode="unsafe",
                    **({"label": drive.label} if drive.label else {}),
                )
                # QEMU would stop the guest when the host's disk is full, and wait for room.
                g.config("-set", f"drive.hd{number}.werror=report")
            watchdog.start()
            _going.add(mark)
            _launch(g, tail)
            yield g
            if not readonly:
                g.shutdown()  # flushes; an error here is an error of the image
        except (RuntimeError, HostError) as error:
            if late.is_set():
                raise ApplianceError(
                    f"the libguestfs appliance did not end its work within {timeout_s:.0f} s",
                    why=str(error), remedy="is this host overloaded? try again",
                ) from error
            raise
        finally:
            watchdog.cancel()
            g.close()
            _going.discard(mark)


def shell(g: GuestFS, script: str) -> str:
    """Return what a shell in the appliance itself prints for a script (`debug sh`).

    Raises RuntimeError as any call does, InputError when the answer is no text in UTF-8.
    """
    try:
        return str(g.debug("sh", [script]))
    except UnicodeDecodeError as error:
        raise InputError("the image has names that are not UTF-8 where only text is expected",
                         why=repr(error.object[max(error.start - 40, 0):error.end + 40])) from error


def _over(drive: Drive, target: Path) -> Drive:
    """Return a throw-away overlay over a disk.

    libguestfs makes one itself for a read-only drive, and then has QEMU probe what the guest
    sees: the first bytes of the disk choose the driver (seen in 1.48, lib/launch-direct.c).
    """
    try:
        block.overlay(target, drive.path, drive.format)
    except ProgramError as error:
        raise ApplianceError("QEMU can't open the disk", where=str(drive.path),
                             why=error.why) from error
    return Drive(target, "qcow2", drive.label)


def _handle() -> GuestFS:
    try:
        guestfs = importlib.import_module("guestfs")
    except ImportError as error:
        raise HostError(
            "libguestfs's Python binding is not there", why=str(error),
            remedy="run tools/setup (Debian: python3-guestfs; CentOS: python3-libguestfs), "
            "and use a venv made with --system-site-packages",
        ) from error
    fixed = os.environ.get("LIBGUESTFS_PATH") or os.environ.get("SUPERMIN_KERNEL")
    if not fixed and not host_kernels():
        raise HostError(
            "there is no kernel for libguestfs to start", where="/boot",
            remedy="run tools/setup (Debian: linux-image-cloud-amd64; CentOS: kernel-core)",
        )
    return guestfs.GuestFS(python_return_dict=True)


def _configure(
    g: GuestFS, tail: deque[str], folder: Path, mark: str, memory_mib: int,
) -> None:
    guestfs = importlib.import_module("guestfs")

    def note(_event: int, _handle: int, text: str | bytes, _array: object) -> None:
        shown = text.decode(errors="replace") if isinstance(text, bytes) else text
        for line in shown.splitlines():
            tail.append(line)
            log.debug("  %s", line)

    g.set_event_callback(
        note, guestfs.EVENT_APPLIANCE | guestfs.EVENT_LIBRARY | guestfs.EVENT_WARNING,
    )
    works, reason = kvm_works()
    log.debug("libguestfs under %s: %s", "KVM" if works else "TCG", reason)
    g.set_backend("direct")
    g.set_backend_settings([] if works else ["force_tcg"])
    g.set_memsize(memory_mib)
    g.set_smp(min(4, os.cpu_count() or 1))
    g.set_recovery_proc(1)
    g.set_pgroup(1)  # Ctrl-C must reach us alone, so that we end the appliance in order
    g.set_network(0)
    g.set_tmpdir(str(folder))
    g.set_append(mark)


def _launch(g: GuestFS, tail: deque[str]) -> None:
    try:
        g.launch()
    except RuntimeError as error:
        said = [line for line in tail if "error" in line.lower() or "cannot" in line.lower()]
        raise ApplianceError(
            "the libguestfs appliance did not start",
            why="; ".join([str(error), *said[-3:]]),
            remedy="run libguestfs-test-tool, or see `ccis doctor`",
        ) from error


def kill_all() -> None:
    """Kill every appliance of this process, in whatever thread: the calls at hand then fail."""
    for mark in tuple(_going):
        _kill_marked(mark)


def _kill_marked(mark: str) -> None:
    """Kill the QEMU whose kernel command line holds `mark`.

    The handle itself can't be asked for the process: it is locked while a call hangs.
    """
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"qemu" in words[0] and any(mark.encode() in word for word in words):
                os.kill(int(entry.name), signal.SIGKILL)
