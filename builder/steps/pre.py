"""pre: %pre runs while the plan is made; its files are what %include may name, its partition table
what --onpart refers to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.disk.model import DiskTable
from builder.scripting import installer
from builder.scripting.one_script import progress_say, run_script
from builder.scripting.pre import ROOT, read_table
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.fields import ScriptText
from builder.tree.bounds import check_depth
from host.beneath.root import Root

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "pre"
after = ()
programs = ("sfdisk",)

_TABLE = "table.json"


class Inputs(contract.Inputs):
    """disk_size_bytes: of the empty disk that they see. arguments: of the installer's command line.
    """

    may_hold_secrets = ("scripts", "arguments")

    scripts: tuple[ScriptText, ...]
    disk_size_bytes: int
    arguments: str


@dataclass(frozen=True)
class Result:
    """What %pre left. root: the installer's folders. table: None for a disk without one."""

    root: Path
    table: DiskTable | None


def inputs(facts: Facts) -> contract.Inputs | None:
    """Only a kickstart that has such scripts; the planner ran them before it read the rest."""
    return facts.pre


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Run the scripts in the installer's environment; keep its folders and the disk's table.

    Raises InputError for a script with --erroronfail that fails, and for a table that no image
    can have; HostError when a script takes too long.
    """
    root = place.folder / ROOT
    installer.prepare(root)
    with place.store.staging() as scratch:
        disk = scratch / "image"
        installer.make_disk(disk, inputs.disk_size_bytes)
        with installer.disk_device(disk) as device:
            sandbox = installer.environment(root, device, inputs.disk_size_bytes,
                                            inputs.arguments, bounds=inputs.bounds)
            for script in inputs.scripts:
                run_script(sandbox, script, progress_say(place.progress))
        check_depth(Root(root), "%pre")
        table = read_table(disk, "\n".join(script.text for script in inputs.scripts))
    if table:
        (place.folder / _TABLE).write_text(table.model_dump_json(indent=1), encoding="utf-8")


def result(data: Path) -> Result:
    """Return what a result of this step holds."""
    file = data / _TABLE
    table = DiskTable.model_validate_json(file.read_text("utf-8")) if file.is_file() else None
    return Result(data / ROOT, table)
