"""Which versions of the programs that make file systems this host has, for the digest."""

from __future__ import annotations

import shutil
from functools import cache

from builder.disk.volumes.registry import all_kinds
from host.run import run

# How each tells its version; mkfs.vfat only does so while working.
_FLAGS = {
    "sfdisk": "--version", "mke2fs": "-V", "mcopy": "--version", "mkfs.xfs": "-V",
    "mkfs.btrfs": "--version", "cp": "--version", "tar": "--version",
}


def tool_versions() -> dict[str, str]:
    """Return program and version of what makes partitions and file systems."""
    return _asked_once(tuple(_FLAGS.items()))


def stack_versions() -> dict[str, str]:
    """Return program and version of what makes volumes; the appliance has the host's programs."""
    return _asked_once(tuple(
        (program.name, program.flag) for kind in all_kinds().values()
        for program in kind.programs if program.flag
    ))


@cache
def _asked_once(flags: tuple[tuple[str, str], ...]) -> dict[str, str]:
    versions = {}
    for program, flag in flags:
        if shutil.which(program):
            result = run([program, flag], check=False)
            versions[program] = (result.stdout + result.stderr).strip().splitlines()[0]
    return versions
