"""Does KVM work here? Decided by starting a kernel under it, once per boot of the host."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from host.errors import HostError, ProgramError
from host.files import write_atomically
from host.locks import locked
from host.places import cache_folder
from host.run import run

DEVICE = Path("/dev/kvm")
TRY_S = 8.0
"""A kernel under KVM gets to its root mount in about 1 s; where KVM hangs, it does so at once."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Emulator:
    """QEMU for an architecture: its program, machine type and the kernel's serial console."""

    program: str
    machine: str
    console: str


EMULATORS = {
    "x86_64": Emulator("qemu-system-x86_64", "q35", "ttyS0"),
    "aarch64": Emulator("qemu-system-aarch64", "virt", "ttyAMA0"),
}


def kvm_works() -> tuple[bool, str]:
    """Tell whether guests run under KVM on this host, and how that is known.

    /dev/kvm may be there and firmware run under it while every kernel hangs (nested hosts), so
    a kernel of the host's is started and must reach its root mount within TRY_S seconds. The
    answer is kept until the host's next boot (CCIS_CACHE).
    """
    if not DEVICE.exists():
        return False, f"{DEVICE} is not there"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False, f"{DEVICE} may not be opened by this user (join the group kvm)"
    folder = cache_folder() / "kvm"
    known = folder / f"{_BOOT_ID.read_text(encoding='ascii').strip()}.json"
    try:
        with locked(folder / "lock"):
            if (answer := _remembered(known)) is not None:
                return answer
            works, reason, final = _try()
            if final:
                for old in folder.glob("*.json"):
                    old.unlink(missing_ok=True)
                write_atomically(known, json.dumps({"works": works, "reason": reason}))
            return works, reason
    except OSError:
        works, reason, _ = _try()  # a cache that can't be written costs time, not the answer
        return works, reason


def host_kernels() -> list[Path]:
    """Return the kernels of this host that can be read, newest name last."""
    found = [*Path("/boot").glob("vmlinuz-*"), *Path("/lib/modules").glob("*/vmlinuz")]
    return sorted(path for path in found if "rescue" not in path.name and os.access(path, os.R_OK))


def _remembered(path: Path) -> tuple[bool, str] | None:
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
        return bool(answer["works"]), str(answer["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _try() -> tuple[bool, str, bool]:
    """Start a kernel under KVM: does it work, how is that known, is it worth remembering."""
    emulator = EMULATORS.get(platform.machine())
    if emulator is None:
        return False, f"no way to try it on {platform.machine()}", False
    kernels = host_kernels()
    if not kernels:
        return False, "there is no kernel in /boot to try it with", False
    lines: list[str] = []
    try:
        # Without a root file system the kernel panics, restarts at once, and QEMU ends.
        run(
            [emulator.program, "-nodefaults", "-no-user-config", "-display", "none",
             "-machine", emulator.machine, "-accel", "kvm", "-cpu", "host", "-m", "512",
             "-no-reboot", "-kernel", kernels[-1], "-serial", "stdio",
             "-append", f"console={emulator.console} edd=off panic=-1"],
            timeout_s=TRY_S, on_line=lines.append,
        )
    except HostError as error:
        if "is not installed" in error.what:
            return False, error.what, False
        if isinstance(error, ProgramError):
            return False, f"QEMU can't use it: {error.why}", True
        if not any("Linux version" in line for line in lines):
            return False, f"a kernel started under KVM said nothing within {TRY_S:.0f} s", True
        return False, f"a kernel started under KVM did not get to its end ({error.what})", True
    if any("Linux version" in line for line in lines):
        return True, f"{kernels[-1].name} ran under it", True
    return False, "a kernel started under KVM ended without a word", True
