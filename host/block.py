"""How QEMU is told what a disk image is: by every node's driver, so that it never has to guess.

A format that is left out is probed from the content, which is the image's own: bytes that look
like a qcow2 header make QEMU open whatever file that header names (CVE-2024-4467 and its like).
So images are given as nodes of QEMU's block layer (qemu-block-drivers(7), "json:" file names in
qemu(1)): format and protocol are said, and a qcow2 has no backing file, whatever it says itself.
An external data file can't be switched off that way: whoever opens a stranger's image looks for
one first (validate.artefact.inspect).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from host.run import run

Format = Literal["raw", "qcow2"]
Driver = Literal["raw", "qcow2", "vmdk", "vpc", "vhdx", "vdi"]
_NAMING_OTHERS = ("qcow2", "vmdk")
"""Drivers of formats that may name an image behind them."""
_CREATE_S = 60


def node(path: Path, driver: Driver) -> dict[str, Any]:
    """Return the block node of an image that is only read, itself and nothing behind it."""
    return {
        "driver": driver, "read-only": True,
        # Nobody else's lock is our concern: whoever builds into a file that we read gets errors.
        "file": {"driver": "file", "filename": str(path.absolute()), "read-only": True,
                 "locking": "off"},
        **({"backing": None} if driver in _NAMING_OTHERS else {}),
    }


def name(path: Path, driver: Driver) -> str:
    """Return the file name that qemu-img takes for an image, and opens without probing."""
    return "json:" + json.dumps(node(path, driver))


def overlay(target: Path, path: Path, image_format: Format, size_bytes: int | None = None) -> None:
    """Make a qcow2 that takes what is written to an image, which itself stays as it is.

    size_bytes: of the disk that a guest sees, None for the image's own. Whoever opens the result
    must still say that it is a qcow2 on a file. Raises ProgramError when the image can't be
    opened, HostError when qemu-img is not here.
    """
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", image_format,
         "-b", name(path, image_format), target,
         *([str(size_bytes)] if size_bytes is not None else [])], timeout_s=_CREATE_S)


def overlay_node(target: Path, path: Path, image_format: Format) -> dict[str, Any]:
    """Return the block node of an overlay() that a guest writes to, over its image."""
    return {
        "driver": "qcow2", "discard": "unmap",
        "cache": {"direct": False, "no-flush": True},  # it is thrown away
        "file": {"driver": "file", "filename": str(target.absolute()),
                 "cache": {"direct": False, "no-flush": True}},
        "backing": node(path, image_format),
    }
