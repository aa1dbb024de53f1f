"""clearpart, ignoredisk and what else names disks: which table there is to start with."""

from __future__ import annotations

from pykickstart.constants import CLEARPART_TYPE_ALL, CLEARPART_TYPE_LINUX, CLEARPART_TYPE_LIST

from builder.disk.model import DiskTable
from builder.disk.parts import Table
from builder.kickstart.read import Command, Kickstart
from builder.kickstart.storage.disks import check_disks, is_the_disk, partition_number
from builder.kickstart.storage.reading import PARTITIONS
from host.errors import InputError

Notes = list[tuple[str, str]]


def check_named_disks(kickstart: Kickstart) -> None:
    """Raise InputError for lines that leave the image's only disk out or name another one."""
    for command in kickstart.find("ignoredisk"):
        if any(is_the_disk(name) for name in command.data.ignoredisk or ()):
            raise InputError("ignoredisk leaves no disk to install to", where=command.where,
                             why="an image has one disk", remedy="remove the line")
        check_disks("--only-use", getattr(command.data, "onlyuse", None) or (), command.where)
    for command in kickstart.find("clearpart"):
        check_disks("--drives", command.data.drives or (), command.where)
    for command in kickstart.find("bootloader"):
        drive = getattr(command.data, "bootDrive", "") or ""
        check_disks("--boot-drive", [drive] if drive else (), command.where)
        check_disks("--driveorder", getattr(command.data, "driveorder", None) or (),
                    command.where)


def cleared(
    kickstart: Kickstart, existing: DiskTable | None,
) -> tuple[DiskTable | None, Table | None, Notes]:
    """Return what `clearpart` leaves of the table that %pre made, its kind, and what to say.

    As blivet has it (should_clear and clear_partitions): --all empties the disk, and with
    --initlabel or --disklabel the table is a new one; --list removes what it names; with --none,
    or without any of these, nothing goes and a table that is there stays of its kind. A table
    whose partitions `part --onpart` takes stays, too: Anaconda would find nothing to take.

    The kind is None where nothing decides it.
    """
    found = kickstart.find("clearpart")
    command = found[-1] if found else None
    named = _disklabel(command) if command else None
    if existing is None or command is None:
        return existing, existing.table if existing else named, []
    data = command.data
    taken = [line for line in kickstart.find(*PARTITIONS) if line.data.onPart]
    if data.type == CLEARPART_TYPE_ALL and taken:
        return existing, existing.table, [(command.where, (
            "clearpart --all would remove the partitions that %pre made and "
            f"`part --onpart={taken[0].data.onPart}` takes; they stay"))]
    if data.type == CLEARPART_TYPE_ALL:
        if data.initAll or named:
            return None, named, []
        return existing.model_copy(update={"partitions": ()}), existing.table, []
    if data.type == CLEARPART_TYPE_LIST or getattr(data, "devices", None):
        gone = {partition_number(name, existing, command.where) for name in data.devices}
        kept = tuple(part for part in existing.partitions if part.number not in gone)
        return existing.model_copy(update={"partitions": kept}), existing.table, []
    notes: Notes = []
    if data.type == CLEARPART_TYPE_LINUX and existing.partitions:
        notes.append((command.where, "clearpart --linux: the partitions that %pre made stay, "
                                     "there is no Linux on them yet"))
    if named and named != existing.table:
        notes.append((command.where, f"clearpart --disklabel={named}: %pre made a table of the "
                                     f"kind {existing.table}, which stays without --all"))
    return existing, existing.table, notes


def _disklabel(command: Command) -> Table | None:
    named = str(getattr(command.data, "disklabel", "") or "")
    if not named:
        return None
    if named not in ("gpt", "msdos", "mbr"):
        raise InputError(f"a partition table {named!r} can't be made", where=command.where,
                         remedy="use --disklabel=gpt or --disklabel=msdos")
    return "gpt" if named == "gpt" else "msdos"
