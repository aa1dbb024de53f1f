"""GRUB's questions about a disk that is not there yet, answered from its layout.

grub2-probe (which device, which file system, which UUID) and grub2-mkrelpath (which path on that
file system) are shown inside the sandbox as scripts with the answers in them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from builder.disk.ancestry import below
from builder.disk.model import Layout
from builder.disk.parts import Partition, Volume
from builder.disk.volumes.registry import kind_of
from builder.tree.tree import Tree

# GRUB's names of file systems, which are those of its modules.
FS_MODULES = {
    "xfs": "xfs", "ext2": "ext2", "ext3": "ext2", "ext4": "ext2", "btrfs": "btrfs", "vfat": "fat",
    "efi": "fat",
}
_PLACES = ("/usr/sbin", "/usr/bin")


def boot_place(layout: Layout) -> tuple[Partition | Volume, str]:
    """Return the file system that holds /boot and the path on it of GRUB's folder.

    GRUB sees a btrfs from its top, where a subvolume is a folder.
    """
    own = layout.at("/boot")
    place = own or layout.root
    top = f"/{place.subvolume}" if place.subvolume else ""
    return place, f"{top}/grub2" if own else f"{top}/boot/grub2"


def drive(layout: Layout, place: Partition | Volume) -> str:
    """Return what GRUB calls a device, without the brackets: hd0,gpt3; mduuid/…; lvmid/…/…"""
    table = "gpt" if layout.table == "gpt" else "msdos"
    for item, device in below(layout, place):
        if found := kind_of(item).grub_drive(item, device):
            return found
    number = place.device.removeprefix("/dev/vda")
    return f"hd0,{table}{number}"


def abstraction(layout: Layout, place: Partition | Volume) -> list[str]:
    """Return GRUB's modules for what a file system stands on, the nearest first."""
    return list(dict.fromkeys(
        module for item, _ in below(layout, place) for module in kind_of(item).grub_modules(item)))


def device_links(layout: Layout) -> dict[str, str]:
    """Return links for devices: grub2-mkconfig names for root= only what is there, which is the
    path for LVM and the UUID for all else."""
    names = [f"/dev/disk/by-uuid/{part.fs_uuid}" for part in layout.filesystems if part.fs_uuid]
    names += [part.device for part in layout.volumes if part.device.startswith("/dev/mapper/")]
    return dict.fromkeys(names, "/dev/null")


def answering_programs(layout: Layout) -> dict[str, str]:
    """Return the programs of GRUB's that ask about the disk, as scripts that answer."""
    return {"grub2-probe": probe_script(layout), "grub2-mkrelpath": relpath_script(layout)}


@contextmanager
def disk_in_sight(tree: Tree, layout: Layout) -> Iterator[Tree]:
    """Yield the tree with device links and GRUB's programs that answer for the disk to come."""
    tree = replace(tree, sandbox=replace(tree.sandbox, links=device_links(layout)))
    programs = dict(tree.sandbox.programs)
    for name, text in answering_programs(layout).items():
        inside = next((f"{place}/{name}" for place in _PLACES if tree.has(f"{place}/{name}")), None)
        if inside:
            programs[inside] = text
    yield replace(tree, sandbox=replace(tree.sandbox, programs=programs))


def probe_script(layout: Layout) -> str:
    """Return grub2-probe's answers as a shell script: one line for each place and question."""
    places = {"root": layout.root, "boot": boot_place(layout)[0]}
    if efi := layout.at("/boot/efi"):
        places["efi"] = efi
    cases, paths = [], []
    for name, place in reversed(places.items()):
        answers = _answers(layout, place)
        cases += [f"{name}:{key}) echo {shlex.quote(value)} ;;" for key, value in answers.items()]
        own = {"boot": "/boot|/boot/*", "efi": "/boot/efi|/boot/efi/*"}.get(name, "/")
        paths.append(f"    {own}) place={name} ;;")
        paths.append(f"    {place.device}) place={name} ;;")
    return "\n".join([
        "#!/bin/sh",
        "target=fs place=root",
        "while [ $# -gt 0 ]; do",
        "  case $1 in",
        "    --target=*) target=${1#--target=} ;;",
        "    -t|--target) target=$2; shift ;;",
        "    --device|-d|-v|--verbose) ;;",
        *paths,
        "  esac",
        "  shift",
        "done",
        "case $place:$target in",
        *cases,
        "*) echo \"grub2-probe: no answer to $target for $place\" >&2; exit 1 ;;",
        "esac",
    ]) + "\n"


def relpath_script(layout: Layout) -> str:
    """Return grub2-mkrelpath's answers as a shell script: paths from a file system's top."""
    boot = layout.at("/boot")
    below_boot = f"/{boot.subvolume}" if boot and boot.subvolume else ""
    below_root = f"/{layout.root.subvolume}" if layout.root.subvolume else ""
    strip = "${path#/boot}" if boot else "$path"
    return "\n".join([
        "#!/bin/sh",
        "for path; do :; done",
        "case $path in",
        f"  /boot|/boot/*) found={below_boot if boot else below_root}{strip} ;;",
        "  /) found=" + below_root + " ;;",
        f"  *) found={below_root}$path ;;",
        "esac",
        'echo "$found"',  # the top itself is nothing, as callers add a slash
    ]) + "\n"


def _answers(layout: Layout, place: Partition | Volume) -> dict[str, str]:
    name = drive(layout, place)
    hints = f"--hint-bios={name} --hint-efi={name}" if name.startswith("hd") else f"--hint='{name}'"
    return {
        "device": place.device, "disk": "/dev/vda", "fs": FS_MODULES[place.fstype],
        "fs_uuid": place.fs_uuid or "", "fs_label": place.label or "",
        "partuuid": (place.part_uuid or "").lower() if isinstance(place, Partition) else "",
        "partmap": "gpt" if layout.table == "gpt" else "msdos", "drive": f"({name})",
        "abstraction": " ".join(abstraction(layout, place)), "compatibility_hint": name,
        "bios_hints": name, "efi_hints": name, "hints_string": hints,
    }
