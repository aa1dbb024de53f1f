"""From what a kickstart asks of a disk to a layout of it, by Anaconda's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from builder.disk.content import Notebook, content
from builder.disk.fstab import fstab
from builder.disk.ids import derive
from builder.disk.model import DiskTable, Layout, MemoryFileSystem
from builder.disk.parts import FsType, Partition, Table
from builder.disk.placing import Slot, Wish, place
from builder.disk.requests import MemoryRequest, PartitionRequest, StorageRequest
from builder.disk.sizes import MIB
from builder.disk.stacking import Stack, carriers
from builder.disk.types import FIRMWARE, check_point, partition_type, type_of
from builder.disk.volumes.registry import wrapper_for
from host.errors import InputError

__all__ = ["Layout", "Partition", "PartitionRequest", "StorageRequest", "fstab", "plan_layout"]

_ORDER = {"biosboot": 0, "prepboot": 1, "efi": 2}


def plan_layout(
    requests: Sequence[PartitionRequest] | StorageRequest,
    disk_size_bytes: int,
    table: Table,
    seed: str,
    *,
    mkfs_defaults: Mapping[str, Sequence[str]] | None = None,
    existing: DiskTable | None = None,
) -> Layout:
    """Lay out a disk.

    What firmware and boot loader need comes first, then /boot, then the rest as the kickstart
    has it, growing ones behind fixed ones, and what holds `/` last of all, because growpart can
    only move the end of the last partition into a larger disk.

    requests: the `part` lines, or all that a kickstart asks of the disk.
    disk_size_bytes: the virtual size, a multiple of 1 MiB.
    seed: what all UUIDs derive from: same seed and requests, same layout.
    mkfs_defaults: options of mkfs per file system, before those of the kickstart.
    existing: the table that %pre left; its partitions stay where they are.

    Raises InputError, with the request's file and line, for whatever cannot be.
    """
    if disk_size_bytes % MIB:
        raise InputError(f"a disk of {disk_size_bytes} bytes is not a whole number of MiB")
    if not isinstance(requests, StorageRequest):
        requests = StorageRequest(partitions=tuple(requests))
    book = Notebook(seed, mkfs_defaults or {})
    last = carriers(requests, "/")
    typed: list[Wish] = [(request, type_of(request)) for request in requests.partitions]
    _check_table(typed, table)
    typed.sort(key=lambda wish: _order(wish[0], wish[1], last))
    stacking = Stack(requests, disk_size_bytes // MIB, book)
    partitions = [
        _partition(slot, table, book, stacking)
        for slot in place(typed, disk_size_bytes, table, existing)
    ]
    stacking.build()
    memory = [_memory(request, book) for request in requests.memory]
    if "/" not in book.points:
        raise InputError("no partition for /", where=_last_line(requests),
                         remedy="add `part / --grow --size=…`")
    if table == "msdos" and not any(part.bootable for part in partitions):
        partitions = _activate(partitions)
    disk_uuid = existing.disk_uuid if existing else None
    disk = derive(seed, "disk")
    return Layout(
        table=table, disk_size_bytes=disk_size_bytes, partitions=tuple(partitions),
        # A signature of 0 means "none" to Windows and to the kernel's PARTUUID.
        disk_uuid=disk_uuid or (
            str(disk).upper() if table == "gpt" else f"0x{disk.int >> 96 or 1:08x}"),
        stack=tuple(stacking.items), volumes=tuple(stacking.volumes),
        memory=tuple(memory), notes=tuple(book.notes),
    )


def _memory(request: MemoryRequest, book: Notebook) -> MemoryFileSystem:
    """Return a tmpfs with the options that blivet's TmpFS gives it."""
    check_point(request.mountpoint, request.where)
    book.claim(request.mountpoint, request.where)
    size = f",size={request.size_mib}m" if request.size_mib else ""
    return MemoryFileSystem(mountpoint=request.mountpoint,
                            fstab_options=f"{request.fstab_options or 'defaults'}{size}")


def _check_table(typed: Sequence[Wish], table: Table) -> None:
    for request, fstype in typed:
        if table == "msdos" and fstype == "biosboot":
            raise InputError(
                "an MBR table has no BIOS boot partition", where=request.where,
                remedy="leave it out: the boot loader goes into the gap behind the table",
            )
        if request.around and (fstype in FIRMWARE or request.mountpoint == "/boot/efi"):
            done = wrapper_for(request.around[0]).done
            raise InputError(f"{request.mountpoint} cannot be {done}: firmware reads it",
                             where=request.where)


def _order(request: PartitionRequest, fstype: FsType, last: frozenset[str]) -> tuple[int, int]:
    if fstype in _ORDER:
        return _ORDER[fstype], 0
    if request.mountpoint == "/boot":
        return 3, 0
    return (5 if request.mountpoint in last else 4), int(request.grow)


def _partition(slot: Slot, table: Table, book: Notebook, stacking: Stack) -> Partition:
    """Return the partition of a place; what is inside something around it goes onto the stack."""
    gpt, made = table == "gpt", slot.made
    if slot.wish is None:
        type_id, own = ("0f" if made is None else made.type_id), f"{slot.number}:unused"
        # GRUB takes a BIOS boot partition by its type, whether a `part` line names it or not.
        kind = "biosboot" if type_id == partition_type("biosboot", "gpt") else "unused"
        fields = {"mountpoint": None, "fstype": kind, "size_bytes": slot.size_bytes,
                  "fs_uuid": None, "label": None}
    else:
        request, fstype = slot.wish
        own = f"{slot.number}:{request.mountpoint}"
        # Firmware finds its partitions by their types; others keep what the script gave them.
        ours = made is None or fstype in FIRMWARE
        outer = wrapper_for(request.around[0]).member.fstype if request.around else None
        type_id = partition_type(outer or fstype, table)
        type_id = type_id if ours or made is None else made.type_id
        if outer:
            fields = {"mountpoint": None, "fstype": outer, "size_bytes": slot.size_bytes,
                      "fs_uuid": None, "label": None, "where": request.where}
        else:
            fields = content(request, fstype, slot.size_bytes, own, book)
        stacking.take(request, fstype, f"/dev/vda{slot.number}", slot.size_bytes)
    part_uuid = made.part_uuid if made else None
    derived = str(derive(book.seed, f"partition {own}")).upper()
    return Partition(
        **fields, number=slot.number, start_bytes=slot.start_bytes, type_id=type_id,
        part_uuid=(part_uuid or derived) if gpt else None,
        part_name=made.part_name if made else None, attributes=made.attributes if made else "",
        bootable=made.bootable if made else False,
    )


def _activate(partitions: Sequence[Partition]) -> list[Partition]:
    """Mark /boot, or else /, or else the first one, as active: some BIOSes want one."""
    points = [part.mountpoint for part in partitions]
    active = next((point for point in ("/boot", "/") if point in points), None)
    number = next((part.number for part in partitions if active and part.mountpoint == active), 1)
    return [
        part.model_copy(update={"bootable": part.number == number}) for part in partitions
    ]


def _last_line(requests: StorageRequest) -> str | None:
    lines = [request.where for request in requests.partitions]
    return lines[-1] if lines else None
