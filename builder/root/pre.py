"""Runs %pre: its files are what %include may name, its partition table what --onpart refers to."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.disk.model import SECTOR_BYTES, DiskTable, Partition
from builder.kickstart.model import Script
from builder.root import installer
from builder.root.one_script import progress_say, run_script
from builder.secret_digests import of_scripts
from builder.steps import code_digest, digest_of
from builder.store import Store
from builder.store_key import store_key
from builder.tree.bounds import check_depth
from host.beneath.root import Root
from host.errors import InputError, ProgramError
from host.jail import run_jailed
from host.progress import Progress
from host.scratch import scratch_folder
from images.bounds import DEFAULTS, Bounds

ROOT, _TABLE = "installer", "table.json"
_TABLE_S = 60
CODE = (
    "builder/root/pre.py", "builder/root/installer.py", "builder/root/one_script.py",
    "builder/root/shims.py", "builder/root/lsblk_shim.py", "builder/tree", "host/beneath",
    "host/jail.py", "host/run.py", "host/sparse.py", "host/variables.py", "host/clean_room.py",
)


@dataclass(frozen=True)
class PreResult:
    """What %pre left. root: the installer's folders. table: None for a disk without one.

    digest: the identity of both, an input of whatever depends on them.
    """

    root: Path
    table: DiskTable | None
    digest: str


def run_pre(
    scripts: Sequence[Script], disk_size_bytes: int, arguments: str, store: Store,
    progress: Progress | None = None, bounds: Bounds = DEFAULTS,
) -> PreResult:
    """Run the %pre scripts in the installer's environment, or take from the store what they made.

    arguments: the image's installer_arguments, part of /proc/cmdline. bounds: what each may use.
    Raises InputError for a script with --erroronfail that fails, for one that breaks a bound, and
    for a table that no image can have; HostError when a script takes too long.
    """
    digest = digest_of({
        "scripts": of_scripts(scripts, store_key(store.root)), "disk": disk_size_bytes,
        "arguments": arguments, "code": code_digest(*CODE),
    })

    def fill(folder: Path) -> None:
        root = folder / ROOT
        installer.prepare(root)
        with store.staging() as scratch:
            disk = scratch / "image"
            installer.make_disk(disk, disk_size_bytes)
            with installer.disk_device(disk) as device:
                sandbox = installer.environment(root, device, disk_size_bytes, arguments,
                                                bounds=bounds)
                for script in scripts:
                    run_script(sandbox, script, progress_say(progress))
            check_depth(Root(root), "%pre")
            text = "\n".join(script.text for script in scripts)
            table = read_table(disk, text)
        if table:
            (folder / _TABLE).write_text(table.model_dump_json(indent=1), encoding="utf-8")

    entry, _ = store.make("pre", digest, inputs={}, label="", fill=fill)
    file = entry.data / _TABLE
    table = DiskTable.model_validate_json(file.read_text("utf-8")) if file.is_file() else None
    return PreResult(entry.data / ROOT, table, digest)


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
