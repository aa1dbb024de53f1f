"""vhd: a fixed VHD, the raw disk and a footer of 512 bytes, as Azure wants it."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files import vhd as layout
from builder.formats.disk_files.blocks import MIB, blocks, opened, put, write_all
from builder.formats.disk_files.identity import Identity
from host.progress import Progress

name = "vhd"
title = "fixed VHD: Azure, Hyper-V of the first generation"
source = DISK
uses = ()


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Copy what is not zeroes and append the footer; the rest of the file is one hole.

    Azure takes whole MiB only: that is a rule of the destination, not of the format.
    """
    with opened(source) as disk, (folder / "vhd").open("wb", buffering=0) as target:
        layout.check_size(disk.size_bytes)
        ids = Identity(name, disk.size_bytes, about.epoch)
        for number, data in blocks(disk, MIB, progress, name):
            ids.see(number, data)
            put(target.fileno(), data, number * MIB)
        write_all(target.fileno(), layout.footer(
            layout.FIXED, disk.size_bytes, about.epoch, ids.uuid("disk"),
        ), disk.size_bytes)


def identity() -> dict[str, str]:
    """Return nothing: all that shapes it is written here."""
    return {}
