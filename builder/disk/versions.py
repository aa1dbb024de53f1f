"""Which versions of the programs that make file systems this host has, for the digest."""

from __future__ import annotations

import shutil
from functools import cache

from host.run import run

# How each tells its version; mkfs.vfat only does so while working.
_FLAGS = {
    "sfdisk": "--version", "mke2fs": "-V", "mcopy": "--version", "mkfs.xfs": "-V",
    "mkfs.btrfs": "--version", "cp": "--version", "tar": "--version",
}


def tool_versions() -> dict[str, str]:
    """Return program and version; libguestfs's appliance is made of the same programs."""
    return dict(_asked_once())


@cache
def _asked_once() -> dict[str, str]:
    versions = {}
    for program, flag in _FLAGS.items():
        if shutil.which(program):
            result = run([program, flag], check=False)
            versions[program] = (result.stdout + result.stderr).strip().splitlines()[0]
    return versions
