"""The disk that %post and %pre-install scripts see as /dev/vda: the layout's table, no more.

What scripts change in it (flags, types, names: `parted /dev/vda set 1 boot on`) is kept for the
image; partitions themselves stay as the layout has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.disk.model import DiskTable, Layout
from builder.disk.parts import Partition
from builder.disk.table import SFDISK, sfdisk_script
from builder.scripting.installer import disk_device, make_disk
from builder.scripting.pre import read_table
from host.errors import InputError
from host.run import run

FILE = "table-changes.json"
_KEPT = ("type_id", "part_name", "attributes", "bootable")


@dataclass(frozen=True)
class ScriptDisk:
    """The scratch file that is the disk, and its table before the scripts."""

    file: Path
    before: DiskTable | None


@contextmanager
def script_disk(layout: Layout, scratch: Path) -> Iterator[tuple[ScriptDisk, Path]]:
    """Yield the disk and its block device; read changes after the block."""
    file = scratch / "disk-image"
    make_disk(file, layout.disk_size_bytes)
    run([*SFDISK, file], stdin=sfdisk_script(layout))
    disk = ScriptDisk(file, read_table(file))
    with disk_device(file) as device:
        yield disk, device


def save_changes(disk: ScriptDisk, folder: Path, where: str) -> None:
    """Write what scripts changed in the table into a step's result.

    where: the last script, for the message. Raises InputError when partitions were made, moved
    or removed: their content is not there to be moved.
    """
    after = read_table(disk.file)
    if after == disk.before:
        return
    if after is None or disk.before is None or _shape(after) != _shape(disk.before):
        raise InputError(
            "a script changed the partitions after they were made", where=where,
            why="only flags, types and names can change in %post",
            remedy="partition in %pre, or with `part`",
        )
    rows = [
        {"number": new.number, **{key: getattr(new, key) for key in _KEPT}}
        for old, new in zip(disk.before.partitions, after.partitions, strict=True) if old != new
    ]
    (folder / FILE).write_text(json.dumps(rows, indent=1), encoding="utf-8")


def changed_layout(layout: Layout, folder: Path) -> Layout:
    """Return the layout with what save_changes() wrote into a step's result, if it did."""
    file = folder / FILE
    if not file.is_file():
        return layout
    changes: dict[int, dict[str, Any]] = {
        row.pop("number"): row for row in json.loads(file.read_text(encoding="utf-8"))}
    return layout.model_copy(update={"partitions": tuple(
        part.model_copy(update=changes.get(part.number, {})) for part in layout.partitions
    )})


def _shape(table: DiskTable) -> list[tuple[int, int, int]]:
    def shape(part: Partition) -> tuple[int, int, int]:
        return part.number, part.start_bytes, part.size_bytes

    return [shape(part) for part in table.partitions]
