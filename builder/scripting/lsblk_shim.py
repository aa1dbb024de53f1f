#!/usr/bin/python3
"""lsblk(8) for the installer's environment: the one disk and the partitions in its table.

It runs by itself inside the sandbox, where no sysfs tells of the disk, with the standard library.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

Row = dict[str, Any]

COLUMNS = "NAME,MAJ:MIN,RM,SIZE,RO,TYPE,MOUNTPOINTS"
KNOWN = {
    "NAME", "KNAME", "PATH", "MAJ:MIN", "RM", "SIZE", "RO", "TYPE", "MOUNTPOINT", "MOUNTPOINTS",
    "FSTYPE", "LABEL", "UUID", "PARTUUID", "PARTTYPE", "PARTLABEL", "PARTFLAGS", "PKNAME", "MODEL",
    "SERIAL", "VENDOR", "TRAN", "ROTA", "PTTYPE", "PTUUID", "LOG-SEC", "PHY-SEC", "HOTPLUG",
    "STATE", "START", "WWN", "DISC-GRAN", "FSAVAIL", "FSUSE%", "SUBSYSTEMS", "GROUP", "OWNER",
    "MODE",
}
PRESETS = {
    "fs": "NAME,FSTYPE,LABEL,UUID,FSAVAIL,FSUSE%,MOUNTPOINTS",
    "scsi": "NAME,TYPE,VENDOR,MODEL,TRAN",
    "perms": "NAME,SIZE,OWNER,GROUP,MODE",
}


def program(*words: str) -> str:
    """Return what a program prints, nothing when it fails."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def human(size: int) -> str:
    """Return a size as lsblk writes it: 10G, 512M, 1.5G."""
    for unit, power in (("T", 40), ("G", 30), ("M", 20), ("K", 10)):
        if size >= 1 << power:
            return f"{size / (1 << power):.1f}".removesuffix(".0") + unit
    return f"{size}B"


def rows(arguments: argparse.Namespace) -> tuple[list[Row], int]:
    """Return the disk and its partitions as columns, the disk first."""
    size = int(program("blockdev", "--getsize64", "/dev/vda") or 0)
    table = json.loads(program("sfdisk", "--json", "/dev/vda") or "{}").get("partitiontable", {})
    kind = {"gpt": "gpt", "dos": "dos"}.get(table.get("label"))

    def row(name: str, size: int, number: int, **more: object) -> Row:
        return {
            "NAME": f"/dev/{name}" if arguments.paths else name, "KNAME": name,
            "PATH": f"/dev/{name}", "MAJ:MIN": f"252:{number}", "RM": 0, "RO": 0, "ROTA": 0,
            "SIZE": size if arguments.bytes else human(size), "LOG-SEC": 512, "PHY-SEC": 512,
            "PTTYPE": kind, "PTUUID": (table.get("id") or "").lower() or None, "HOTPLUG": 0,
            "SUBSYSTEMS": "block:virtio:pci", "OWNER": "root", "GROUP": "disk",
            "MODE": "brw-rw----", **more,
        }

    found = [row("vda", size, 0, TYPE="disk", TRAN="virtio", VENDOR="0x1af4", STATE="running")]
    for part in table.get("partitions", []):
        number = int(part["node"].removeprefix("/dev/vda").removeprefix("p"))
        found.append(row(
            f"vda{number}", part["size"] * 512, number, TYPE="part", PKNAME="vda",
            PARTUUID=part.get("uuid", "").lower() or None, PARTLABEL=part.get("name"),
            PARTTYPE=part["type"].lower(), START=part["start"]))
    wanted = {name.removeprefix("/dev/").replace("sda", "vda") for name in arguments.devices}
    unknown = wanted - {each["KNAME"] for each in found}
    for name in sorted(unknown):
        print(f"lsblk: /dev/{name}: not a block device", file=sys.stderr)
    if wanted and "vda" not in wanted:
        found = [each for each in found if each["KNAME"] in wanted]
    if arguments.nodeps:
        found = [each for each in found if each["TYPE"] == "disk" or each["KNAME"] in wanted]
    return found, 32 if unknown else 0


def parse() -> argparse.Namespace:
    """Return the command line, as far as lsblk's options matter for one disk."""
    parser = argparse.ArgumentParser(prog="lsblk")
    for names in (("-J", "--json"), ("-n", "--noheadings"), ("-d", "--nodeps"), ("-b", "--bytes"),
                  ("-p", "--paths"), ("-r", "--raw"), ("-P", "--pairs"), ("-l", "--list"),
                  ("-a", "--all"), ("-i", "--ascii"), ("-f", "--fs"), ("-S", "--scsi"),
                  ("-m", "--perms"), ("-s", "--inverse"), ("-t", "--topology"), ("-z", "--zoned"),
                  ("-A", "--noempty"), ("-N", "--nvme"), ("-v", "--virtio")):
        parser.add_argument(*names, action="store_true")
    for names in (("-o", "--output"), ("-e", "--exclude"), ("-I", "--include"), ("-x", "--sort")):
        parser.add_argument(*names)
    parser.add_argument("devices", nargs="*")
    return parser.parse_args()


def main() -> int:
    """Print the table in the form that was asked for."""
    arguments = parse()
    found, status = rows(arguments)
    preset = next((text for name, text in PRESETS.items() if getattr(arguments, name)), COLUMNS)
    asked = arguments.output or preset
    columns = [name.strip().upper() for name in asked.lstrip("+").split(",")]
    if asked.startswith("+"):
        columns = preset.split(",") + columns
    bad = [name for name in columns if name not in KNOWN]
    if bad:
        sys.exit(f"lsblk: unknown column: {','.join(bad)}")
    if arguments.json:
        print_json(found, columns)
    else:
        print_lines(found, columns, arguments)
    return status


def print_json(found: list[Row], columns: list[str]) -> None:
    """Print the tree as JSON, partitions below their disk."""
    def plain(row: Row) -> Row:
        return {name.lower(): bool(row[name]) if name in ("RM", "RO", "ROTA", "HOTPLUG")
                else [None] if name == "MOUNTPOINTS" else row.get(name) for name in columns}

    disks = [plain(row) for row in found if row["TYPE"] == "disk"]
    parts = [plain(row) for row in found if row["TYPE"] == "part"]
    if disks and parts:
        disks[0]["children"] = parts
    print(json.dumps({"blockdevices": disks or parts}, indent=3))


def print_lines(
    found: list[Row], columns: list[str], arguments: argparse.Namespace,
) -> None:
    """Print one line for each device."""
    lines = []
    tree = not (arguments.raw or arguments.list or arguments.pairs)
    if not arguments.noheadings and not arguments.pairs:
        lines.append(columns)
    for position, row in enumerate(found):
        cells = ["" if row.get(name) is None else str(row[name]) for name in columns]
        if tree and row["TYPE"] == "part" and found[0]["TYPE"] == "disk" and "NAME" in columns:
            branch = "`-" if position == len(found) - 1 else "|-"
            cells[columns.index("NAME")] = branch + str(row["NAME"])
        lines.append(cells)
    if arguments.pairs:
        for cells in lines:
            print(" ".join(f'{n}="{c}"' for n, c in zip(columns, cells, strict=True)))
        return
    widths = [max(len(cells[n]) for cells in lines) if lines else 0 for n in range(len(columns))]
    for cells in lines:
        if arguments.raw:
            print(" ".join(cells))
        else:
            print(" ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
