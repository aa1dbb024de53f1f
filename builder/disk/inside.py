"""The appliance at work on one disk: its programs, what devices are called there, and secrets."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from host.appliance import GuestFS

_GUEST = "/dev/vda"
_LIBRARY = "/dev/sda"
# A file system in memory: the appliance's other folders are in a file of the host.
_KEY = "/run/ccis-key"


@dataclass(frozen=True)
class Inside:
    """A running appliance with the image as its first drive.

    disk: what its kernel calls that drive. libguestfs's calls translate /dev/sda, a shell
    doesn't; and the kernel, which looks for disks on several processors at once, may have called
    the appliance's own disk so.
    """

    g: GuestFS
    disk: str

    def device(self, guest: str) -> str:
        """Return what programs here call a device, from its name in the guest (model.py)."""
        return guest.replace(_GUEST, self.disk, 1) if guest.startswith(_GUEST) else guest

    def mountable(self, guest: str) -> str:
        """Return what libguestfs's own calls take for a device of the guest."""
        return guest.replace(_GUEST, _LIBRARY, 1) if guest.startswith(_GUEST) else guest

    def run(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None, *, stdin: str = "",
    ) -> str:
        """Run a program of the appliance and return what it prints (guestfs_debug, "sh").

        Never put a secret here: command lines are traced where LIBGUESTFS_TRACE is set.
        Raises RuntimeError with what it printed to standard error when it fails.
        """
        words = [f"{key}={shlex.quote(value)}" for key, value in (env or {}).items()]
        line = " ".join([*words, shlex.join(argv)])
        line = f"printf %s {shlex.quote(stdin)} | {line}" if stdin else f"{line} < /dev/null"
        printed: str = self.g.debug("sh", [line])
        return printed

    def settle(self) -> None:
        """Wait until udev has made the names of new devices."""
        self.run(["udevadm", "settle"])

    @contextmanager
    def key_file(self, secret: str) -> Iterator[str]:
        """Yield the name of a file of the appliance that holds a secret during the block.

        It goes there as a file's content, which no trace and no log shows, and lives in memory
        on both sides.
        """
        descriptor = os.memfd_create("key")
        try:
            os.write(descriptor, secret.encode())
            os.lseek(descriptor, 0, os.SEEK_SET)
            self.g.debug_upload(f"/dev/fd/{descriptor}", _KEY, 0o600)
        finally:
            os.close(descriptor)
        try:
            yield _KEY
        finally:
            self.run(["rm", "-f", _KEY])


def inside(g: GuestFS) -> Inside:
    """Return the appliance as the place where the disk is made."""
    found: str = g.debug("sh", ["readlink -f /dev/disk/by-path/*-scsi-0:0:0:0"])
    return Inside(g, found.strip())
