"""What is made of partitions – LUKS, RAID, LVM, btrfs – inside the appliance, one kind per file."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from builder.disk.inside import Inside
from builder.disk.model import Encryption, StackItem
from builder.disk.stack import btrfs, luks, lvm, md
from host.errors import HostError


class Kind(Protocol):
    """What a module of this folder offers for its kind of item of Layout.stack."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def programs(self) -> Mapping[str, str]:
        """The programs it needs, and the package that has each: Debian's name, then CentOS's."""

    def modules(self, item: Any) -> Sequence[str]:
        """Return the kernel modules that the appliance needs for an item."""

    def devices(self, item: Any) -> Sequence[str]:
        """Return what the devices that an item makes are called in the guest."""

    def make(self, inside: Inside, item: Any, *, zeroed: bool, epoch: int) -> None:
        """Make an item; its devices are there afterwards.

        zeroed: what stands below reads as zeroes where nothing was written. epoch: the time that
        goes into what notes its own making. Raises InputError or RuntimeError.
        """

    def stop(self, inside: Inside, item: Any) -> None:
        """End the use of an item, so that it is whole on the disk."""


KINDS: dict[str, Kind] = {"luks": luks, "md": md, "lvm": lvm, "btrfs": btrfs}


def missing(stack: Sequence[StackItem]) -> str | None:
    """Return what this host lacks for a stack; the appliance is made of the host's programs."""
    for item in stack:
        kind = KINDS[item.kind]
        for program, package in kind.programs.items():
            if shutil.which(program) is None:
                return f"{kind.title} needs {program}, which is not installed (package {package})"
    return None


def make_stack(inside: Inside, stack: Sequence[StackItem], epoch: int) -> None:
    """Make all items in their order; their devices are there afterwards.

    Raises HostError when the appliance lacks a program or its kernel a module.
    """
    for number, item in enumerate(stack):
        kind = KINDS[item.kind]
        _check(inside, kind, item)
        below = item.device if isinstance(item, Encryption) else item.devices
        zeroed = not is_encrypted(stack[:number], *([below] if isinstance(below, str) else below))
        kind.make(inside, item, zeroed=zeroed, epoch=epoch)
        inside.settle()


def stop_stack(inside: Inside, stack: Sequence[StackItem]) -> None:
    """Stop all items, the last one first; nothing of them may be mounted any more.

    udev is held back: it would put together again what was just taken apart.
    """
    if stack:
        inside.settle()
        inside.run(["udevadm", "control", "--stop-exec-queue"])
    for item in reversed(stack):
        KINDS[item.kind].stop(inside, item)


def is_encrypted(stack: Sequence[StackItem], *devices: str) -> bool:
    """Tell whether one of the devices is, somewhere below, encrypted.

    What was never written reads there as noise instead of zeroes.
    """
    for number, item in enumerate(stack):
        if not set(devices) & set(KINDS[item.kind].devices(item)):
            continue
        if isinstance(item, Encryption) or is_encrypted(stack[:number], *item.devices):
            return True
    return False


def _check(inside: Inside, kind: Kind, item: StackItem) -> None:
    for program, package in kind.programs.items():
        # The shell's own word: `run` quotes what it is given, and `command` is a builtin.
        found = inside.g.debug("sh", [f"command -v {shlex.quote(program)} || true"])
        if not found.strip():
            raise HostError(
                f"libguestfs's appliance has no {program}, which {kind.title} needs",
                where=item.where, remedy=f"install {package}",
            )
    for module in kind.modules(item):
        try:
            inside.run(["modprobe", module])
        except RuntimeError as error:
            raise HostError(
                f"the kernel of libguestfs's appliance has no {module}, which {kind.title} needs",
                where=item.where, why=str(error),
                remedy="install a kernel with that module (Debian: linux-image-amd64; CentOS: "
                "kernel-modules-extra)",
            ) from error
