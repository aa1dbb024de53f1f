"""The partition table that scripts left on a disk, and where the installer's folders are kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from builder.disk.model import DiskTable
from builder.disk.parts import SECTOR_BYTES, Partition
from host.errors import InputError, ProgramError
from host.jail import run_jailed
from host.scratch import scratch_folder

ROOT = "installer"
"""In a result: the folder that holds the installer's own folders, as scripts left them."""

_TABLE_S = 60


def read_table(disk: Path, text: str = "") -> DiskTable | None:
    """Return the partition table of a disk's file, None when it has none.

    Scripts wrote the file what they liked, so it is read in a jail.
    text: the scripts. parted and sgdisk draw identifiers at random, another one each time, so
    only those that stand literally in the text are kept; the layout derives the others.
    Raises InputError for a table that no image can have.
    """
    with scratch_folder("table") as empty:
        try:
            answer = run_jailed(["sfdisk", "--json", "/disk"], empty, time_s=_TABLE_S,
                                shown={"/disk": disk})
        except ProgramError as error:
            if any("does not contain a recognized partition table" in line for line in error.tail):
                return None
            raise
    if not answer.stdout.strip():
        return None
    try:
        return _table(json.loads(answer.stdout)["partitiontable"], text)
    except (ValueError, KeyError) as error:
        raise InputError("the scripts left a partition table that can't be used",
                         why=str(error)) from error


def _table(table: dict[str, Any], text: str) -> DiskTable:
    kind = {"gpt": "gpt", "dos": "msdos"}.get(table["label"])
    if kind is None:
        raise InputError(f"a partition table of the kind {table['label']} can't be used",
                         remedy="make one with `parted -s /dev/vda mklabel gpt`")
    return DiskTable.model_validate({
        "table": kind, "disk_uuid": _named(table.get("id"), text),
        "partitions": [_partition(part, kind, text) for part in table.get("partitions", [])],
    })


def _partition(part: dict[str, object], kind: str, text: str) -> Partition:
    number = re.search(r"(\d+)$", str(part["node"]))
    assert number is not None
    type_id = str(part["type"])
    return Partition(
        mountpoint=None, fstype="unused", fs_uuid=None, label=None, number=int(number[1]),
        start_bytes=int(str(part["start"])) * SECTOR_BYTES,
        size_bytes=int(str(part["size"])) * SECTOR_BYTES,
        type_id=type_id.upper() if kind == "gpt" else type_id.zfill(2).lower(),
        part_uuid=_named(part.get("uuid"), text), part_name=_text(part.get("name")),
        attributes=str(part.get("attrs", "")), bootable=bool(part.get("bootable", False)),
    )


def _named(identifier: object, text: str) -> str | None:
    found = str(identifier or "")
    return found.upper() if found and found.lower() in text.lower() else None


def _text(value: object) -> str | None:
    return str(value) if value else None
