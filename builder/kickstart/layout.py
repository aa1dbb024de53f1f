"""The kickstart's storage commands as requests for the disk's layout."""

from __future__ import annotations

import shlex
from typing import Any

from builder.disk.layout import Layout, PartitionRequest, plan_layout
from builder.disk.model import Table
from builder.kickstart.read import Command, Kickstart
from host.errors import InputError
from images.release import Release

_PLAIN = ("part", "partition")


def layout_of(
    kickstart: Kickstart, disk_size_bytes: int, release: Release, seed: str,
) -> Layout:
    """Return the disk's layout as the kickstart's `part` lines ask for it.

    seed: what every UUID of the disk derives from. Raises InputError, with file and line, for a
    kickstart without partitions, or with some that do not fit or can't be made.
    """
    lines = kickstart.find(*_PLAIN)
    if not lines:
        raise InputError(
            "the kickstart has no partitions", where=str(kickstart.path),
            remedy="add `part` lines, such as: part / --fstype=xfs --size=2048 --grow",
        )
    requests = [_request(command) for command in lines]
    return plan_layout(
        requests, disk_size_bytes, _table(kickstart, requests), seed,
        mkfs_defaults={"xfs": release.xfs_options},
    )


def _request(command: Command) -> PartitionRequest:
    data: Any = command.data
    for option in ("onPart", "encrypted", "format"):
        value = getattr(data, option, None)
        if (option == "format" and value is False) or (option != "format" and value):
            raise InputError(
                f"part: the option behind {option!r} is not honoured yet", where=command.where,
                remedy="let the builder make the partition: --size, --grow, --fstype",
            )
    return PartitionRequest(
        mountpoint=data.mountpoint, fstype=data.fstype or None, size_mib=data.size or None,
        grow=bool(data.grow), maxsize_mib=data.maxSizeMB or None,
        recommended=bool(data.recommended), label=data.label or None,
        asprimary=bool(data.primOnly), mkfs_options=tuple(shlex.split(data.mkfsopts or "")),
        fstab_options=data.fsopts or None, uuid=None, where=command.where,
    )


def _table(kickstart: Kickstart, requests: list[PartitionRequest]) -> Table:
    """Return the partition table's kind: as `clearpart --disklabel` says, else GPT where the
    layout needs it (a BIOS boot partition has no meaning in an MBR table), else MBR."""
    for command in reversed(kickstart.find("clearpart")):
        if command.data.disklabel:
            named = str(command.data.disklabel)
            if named not in ("gpt", "msdos", "mbr"):
                raise InputError(f"a partition table {named!r} can't be made", where=command.where)
            return "gpt" if named == "gpt" else "msdos"
    kinds = {request.mountpoint for request in requests}
    return "gpt" if kinds & {"biosboot", "/boot/efi"} else "msdos"
