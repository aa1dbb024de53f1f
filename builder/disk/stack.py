"""Volumes inside the appliance: all of a layout's are made, and stopped again."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence

from builder.disk.inside import Inside
from builder.disk.model import StackItem
from builder.disk.volume import Kind
from builder.disk.volumes.registry import kind_of
from host.errors import HostError


def missing(stack: Sequence[StackItem]) -> str | None:
    """Return what this host lacks for a stack; the appliance is made of the host's programs."""
    for item in stack:
        kind = kind_of(item)
        for program in kind.programs:
            if shutil.which(program.name) is None:
                return (f"{kind.title} needs {program.name}, which is not installed "
                        f"(package {program.package})")
    return None


def make_stack(inside: Inside, stack: Sequence[StackItem], epoch: int) -> None:
    """Make all items in their order; their devices are there afterwards.

    Raises HostError when the appliance lacks a program or its kernel a module.
    """
    for number, item in enumerate(stack):
        kind = kind_of(item)
        _check(inside, kind, item)
        zeroed = not is_encrypted(stack[:number], *kind.stands_on(item))
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
        kind_of(item).stop(inside, item)


def is_encrypted(stack: Sequence[StackItem], *devices: str) -> bool:
    """Tell whether one of the devices is, somewhere below, encrypted.

    What was never written reads there as noise instead of zeroes.
    """
    for number, item in enumerate(stack):
        kind = kind_of(item)
        if not set(devices) & set(kind.devices(item)):
            continue
        if kind.encrypts or is_encrypted(stack[:number], *kind.stands_on(item)):
            return True
    return False


def _check(inside: Inside, kind: Kind, item: StackItem) -> None:
    for program in kind.programs:
        # The shell's own word: `run` quotes what it is given, and `command` is a builtin.
        found = inside.g.debug("sh", [f"command -v {shlex.quote(program.name)} || true"])
        if not found.strip():
            raise HostError(
                f"libguestfs's appliance has no {program.name}, which {kind.title} needs",
                where=item.where, remedy=f"install {program.package}",
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
