"""The virtual machine that boxes and appliances describe: one size for all, x86_64 only."""

from __future__ import annotations

from builder.artefact import About
from host.errors import InputError

CPUS = 2
MEMORY_MIB = 2048  # dnf's metadata alone does not fit into 1 GiB any more


def require_x86_64(about: About, format_name: str) -> None:
    """Raise InputError for an image of another architecture.

    VMware, VirtualBox and Hyper-V have machines for aarch64 by now, with other hardware; none of
    them could be tried here.
    """
    if about.arch != "x86_64":
        raise InputError(
            f"{format_name} describes a machine for x86_64, the image is for {about.arch}",
            remedy="leave the format out, or take raw, qcow2 or vmdk",
        )
