"""From the kickstart's storage commands to the layout of the disk."""

from __future__ import annotations

from builder.disk.layout import Layout, plan_layout
from builder.disk.model import DiskTable
from builder.disk.parts import Table
from builder.disk.requests import PartitionRequest, StorageRequest
from builder.disk.types import type_of
from builder.kickstart.read import Kickstart
from builder.kickstart.storage.auto import automatic
from builder.kickstart.storage.boot import check_readable
from builder.kickstart.storage.clearing import check_named_disks, cleared
from builder.kickstart.storage.reading import COMMANDS, requests_of
from builder.kickstart.storage.replaced import without_replaced
from host.errors import InputError
from images.release import Release


def layout_of(
    kickstart: Kickstart, disk_size_bytes: int, release: Release, seed: str,
    existing: DiskTable | None = None, *, arch: str = "x86_64", is_needed: bool = True,
) -> Layout:
    """Return the disk's layout as the kickstart's storage commands ask for it.

    seed: what every UUID of the disk derives from.
    existing: the partition table that %pre left on the disk, None when it left none.
    arch: what autopart and reqpart make boot partitions for.
    is_needed: whether there is to be a disk; if not, a kickstart may do without partitions, and
    the layout is what its scripts find.

    Layout.notes says what of the kickstart has no effect. Raises InputError, with file and line,
    for a kickstart without partitions, or with some that do not fit or can't be made.
    """
    if not kickstart.find(*COMMANDS, "autopart"):
        if not is_needed:
            whole = PartitionRequest(mountpoint="/", fstype="ext4", size_mib=1024, grow=True,
                                     where=str(kickstart.path))
            return plan_layout(StorageRequest(partitions=(whole,)), disk_size_bytes, "gpt", seed)
        raise InputError(
            "the kickstart has no partitions", where=str(kickstart.path),
            remedy="add `part` lines, such as: part / --fstype=xfs --size=2048 --grow",
        )
    check_named_disks(kickstart)
    existing, table, notes = cleared(kickstart, existing)
    own, replaced = without_replaced(requests_of(kickstart, existing))
    notes += replaced
    requests = _together(
        automatic(kickstart, release, disk_size_bytes >> 20, table, arch), own,
    )
    layout = plan_layout(
        requests, disk_size_bytes, table or _table(requests.partitions), seed,
        mkfs_defaults={"xfs": release.xfs_options}, existing=existing,
    )
    check_readable(kickstart, layout)
    notes += [
        (part.where, "--onpart takes the partition as %pre made it: --size, --grow and --maxsize "
                     "have no effect")
        for part in own.partitions
        if part.number is not None and (part.grow or part.size_mib or part.maxsize_mib)
    ]
    return layout.model_copy(update={"notes": (*notes, *layout.notes)})


def without_partitions(layout: Layout) -> Layout:
    """Return the layout of no disk: a root tree alone needs no boot loader, tools and mounts."""
    return layout.model_copy(update={
        "table": "gpt", "partitions": (), "stack": (), "volumes": (), "memory": (),
        "notes": ()})


def _together(chosen: StorageRequest, own: StorageRequest) -> StorageRequest:
    """Join what Anaconda chooses with the kickstart's lines, which come first in a conflict."""
    points = {request.mountpoint for request in own.partitions}
    return own.model_copy(update={
        "partitions": (*(part for part in chosen.partitions if part.mountpoint not in points),
                       *own.partitions),
        "volumes": (*chosen.volumes, *own.volumes),
    })


def _table(partitions: tuple[PartitionRequest, ...]) -> Table:
    """Return the kind of table where neither clearpart nor %pre decides it.

    GPT where it is needed: for a BIOS boot partition, which an MBR table has no meaning for, and
    for an EFI system partition. Else MBR, from the fifth partition on with logical ones: without
    a BIOS boot partition, no BIOS starts GRUB from a GPT.
    """
    kinds = {type_of(request) for request in partitions}
    return "gpt" if kinds & {"biosboot", "efi"} else "msdos"
