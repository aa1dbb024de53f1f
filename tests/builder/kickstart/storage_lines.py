"""Storage lines as a kickstart, and a layout in few words to hold beside them."""

from __future__ import annotations

from pathlib import Path

from builder.disk.ancestry import source
from builder.disk.model import DiskTable, Layout
from builder.disk.parts import Partition, Table
from builder.kickstart.layout import layout_of
from builder.kickstart.read import read
from images.catalogue import release as release_of

MIB = 1 << 20
GPT_DATA = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


def planned(
    folder: Path, lines: str, *, disk_mib: int = 10240, release: str = "centos-stream-10",
    existing: DiskTable | None = None, arch: str = "x86_64",
) -> Layout:
    """Return the layout that lines of a kickstart get."""
    path = folder / "test.ks"
    path.write_text("\n".join(line.strip() for line in lines.strip().splitlines()) + "\n")
    chosen = release_of(release)
    kickstart = read(path, chosen.dialect)
    return layout_of(kickstart, disk_mib * MIB, chosen, "a seed", existing, arch=arch)


def partitions(layout: Layout) -> list[str]:
    """Return each partition as `number place type start+size`, in MiB."""
    return [
        f"{part.number} {part.mountpoint or '-'} {part.fstype} "
        f"{part.start_bytes // MIB}+{part.size_bytes // MIB}" for part in layout.partitions
    ]


def stack(layout: Layout) -> list[str]:
    """Return each item of the stack as `kind name: devices`, LUKS names without their UUIDs."""
    found = []
    for item in layout.stack:
        below = [item.device] if item.kind == "luks" else list(item.devices)
        name = item.label if item.kind == "btrfs" else item.name
        text = f"{item.kind} {name}: {' '.join(below)}"
        for number, luks in enumerate(each for each in layout.stack if each.kind == "luks"):
            text = text.replace(luks.name, f"luks{number}")
        found.append(text)
    return found


def volumes(layout: Layout) -> list[str]:
    """Return each volume as `source place type size`, with its subvolume."""
    return [
        " ".join(filter(None, [
            source(part) if part.fstype != "btrfs" else part.device, part.mountpoint or "-",
            part.fstype, str(part.size_bytes // MIB), part.subvolume,
        ])) for part in layout.volumes
    ]


def made_by_pre(
    *places: tuple[int, int], table: Table = "gpt", part_uuid: str | None = None,
    name: str | None = None, type_id: str = GPT_DATA,
) -> DiskTable:
    """Return the table that a %pre script left: partitions from 1, as (start, size) in MiB."""
    return DiskTable(table=table, disk_uuid=None, partitions=tuple(
        Partition(
            mountpoint=None, fstype="unused", size_bytes=size * MIB, fs_uuid=None, label=None,
            number=number, start_bytes=start * MIB, type_id=type_id, part_uuid=part_uuid,
            part_name=name,
        ) for number, (start, size) in enumerate(places, start=1)
    ))
