"""The boot loader's files in the root tree: GRUB's settings, menu, BIOS core image and UEFI stub.

Everything is made by the tree's own GRUB. The disk is not there yet, so grub2-probe's questions
(which device, which file system, which UUID) are answered from the layout by a script that is
shown in its place inside the sandbox only.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.disk.layout import Layout, Partition
from builder.disk.model import Volume
from builder.kickstart.read import Kickstart
from builder.root.initramfs import kernels
from builder.root.tree import Tree
from host.errors import HostError, InputError, ProgramError

BIOS_MODULES = Path("/usr/lib/grub/i386-pc")
BIOS_FILES = "/boot/grub2/i386-pc"
_FS_MODULES = {"xfs": "xfs", "ext2": "ext2", "ext3": "ext2", "ext4": "ext2", "btrfs": "btrfs"}
_PROBES = ("/usr/sbin/grub2-probe", "/usr/bin/grub2-probe")


def write_settings(tree: Tree, kickstart: Kickstart, layout: Layout) -> None:
    """Write /etc/default/grub and /etc/kernel/cmdline as Anaconda does for `bootloader`.

    --append goes on the kernel's command line, --timeout is the menu's, --location=none or
    --disabled writes nothing. A serial console among the arguments gets GRUB's own menu, too.
    """
    data = _command(kickstart)
    if data is None:
        return
    arguments = data.appendLine or ""
    lines = [
        f"GRUB_TIMEOUT={5 if data.timeout is None else data.timeout}",
        "GRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/system-release)\"",
        "GRUB_DEFAULT=saved",
        "GRUB_DISABLE_SUBMENU=true",
        *_terminal(arguments),
        f"GRUB_CMDLINE_LINUX={shlex.quote(arguments) if arguments else ''}",
        'GRUB_DISABLE_RECOVERY="true"',
        "GRUB_ENABLE_BLSCFG=true",
    ]
    tree.write("/etc/default/grub", "\n".join(lines) + "\n")
    tree.write("/etc/kernel/cmdline", f"{kernel_options(layout, arguments)}\n")


def install(tree: Tree, kickstart: Kickstart, layout: Layout) -> None:
    """Make the menu, the core image for BIOS and the stub for UEFI, as far as the tree has GRUB.

    Raises InputError when the kickstart asks for a boot loader that %packages does not bring,
    HostError when one of GRUB's tools fails.
    """
    data = _command(kickstart)
    if data is None or not kernels(tree):
        return
    if not tree.exists("/usr/sbin/grub2-mkconfig"):
        raise InputError("the image has a kernel and no boot loader", where=_where(kickstart),
                         remedy="add grub2-pc and grub2-efi-x64 to %packages, "
                                "or say `bootloader --location=none`")
    try:
        if not tree.exists("/boot/grub2/grubenv"):
            tree.run("grub2-editenv", "/boot/grub2/grubenv", "create")
        _point_entries_at(tree, kernel_options(layout, data.appendLine or ""))
        with disk_in_sight(tree, layout) as sighted:
            sighted.run("grub2-mkconfig", "-o", "/boot/grub2/grub.cfg")
        if tree.path(str(BIOS_MODULES)).is_dir():
            _make_bios_files(tree, layout)
    except ProgramError as error:
        raise HostError(f"{error.argv[0]} failed in the tree", why=error.why) from error
    _write_uefi_stubs(tree, layout)


def kernel_options(layout: Layout, arguments: str) -> str:
    """Return the kernel's command line: the root by UUID, then what the kickstart appends."""
    return f"root=UUID={layout.root.fs_uuid} ro {arguments}".strip()


def _command(kickstart: Kickstart) -> Any:
    """Return the data of the last `bootloader` command, None if there is to be no boot loader."""
    found = kickstart.find("bootloader")
    if not found:
        return None
    data = found[-1].data
    none = data.location == "none" or getattr(data, "disabled", False)
    return None if none else data


def _where(kickstart: Kickstart) -> str:
    return kickstart.find("bootloader")[-1].where


def _terminal(arguments: str) -> list[str]:
    serial = re.search(r"\bconsole=ttyS(\d)(?:,(\d+))?", arguments)
    if not serial:
        return ['GRUB_TERMINAL_OUTPUT="console"']
    command = f"serial --unit={serial[1]} --speed={serial[2] or 9600}"
    return ['GRUB_TERMINAL="serial console"', f'GRUB_SERIAL_COMMAND="{command}"']


def _boot(layout: Layout) -> tuple[Partition, str]:
    """Return the partition that holds /boot and the folder of GRUB's files on it."""
    own = layout.at("/boot")
    return (_plain(own), "/grub2") if own else (_plain(layout.root), "/boot/grub2")


def _plain(place: Partition | Volume) -> Partition:
    """Return a partition that GRUB can read by itself; raise InputError for anything else."""
    if isinstance(place, Partition):
        return place
    raise InputError(f"the boot loader can't read {place.device}", where=place.where,
                     remedy="add `part /boot --fstype=xfs --size=1024`")


def _point_entries_at(tree: Tree, options: str) -> None:
    """Give Boot Loader Specification entries, where the kernel's scriptlets made some, our options.

    They were written before this disk had a layout, with the build host's /proc/cmdline.
    """
    folder = tree.path("/boot/loader/entries")
    for entry in sorted(folder.glob("*.conf")) if folder.is_dir() else []:
        text = entry.read_text(encoding="utf-8")
        entry.write_text(re.sub(r"(?m)^options .*$", f"options {options}", text), encoding="utf-8")


def _make_bios_files(tree: Tree, layout: Layout) -> None:
    """Put GRUB's modules, boot.img and a core image that finds them into /boot/grub2/i386-pc."""
    partition, folder = _boot(layout)
    table = "gpt" if layout.table == "gpt" else "msdos"
    tree.path(BIOS_FILES).mkdir(parents=True, exist_ok=True)
    tree.run("/bin/sh", "-c", f"cp {BIOS_MODULES}/*.mod {BIOS_MODULES}/*.lst "
                              f"{BIOS_MODULES}/boot.img {BIOS_FILES}/")
    tree.run(
        "grub2-mkimage", "-O", "i386-pc", "-o", f"{BIOS_FILES}/core.img",
        "-p", f"(,{table}{partition.number}){folder}",
        "biosdisk", f"part_{table}", _FS_MODULES[partition.fstype],
    )


def _write_uefi_stubs(tree: Tree, layout: Layout) -> None:
    """Beside every grubx64.efi, write the few lines that lead to the one menu in /boot/grub2."""
    partition, folder = _boot(layout)
    efi = tree.path("/boot/efi/EFI")
    for image in sorted(efi.glob("*/grub*.efi")) if efi.is_dir() else []:
        image.with_name("grub.cfg").write_text(
            f"search --no-floppy --fs-uuid --set=dev {partition.fs_uuid}\n"
            f"set prefix=($dev){folder}\n"
            "export $prefix\n"
            "configfile $prefix/grub.cfg\n", encoding="utf-8",
        )


def _device_links(layout: Layout) -> dict[str, str]:
    """Return /dev/disk/by-uuid links: grub2-mkconfig writes root=UUID= only where they exist."""
    return {
        f"/dev/disk/by-uuid/{partition.fs_uuid}": "/dev/null"
        for partition in layout.partitions if partition.fs_uuid
    }


@contextmanager
def disk_in_sight(tree: Tree, layout: Layout) -> Iterator[Tree]:
    """Yield the tree with device links and a grub2-probe that answer for the disk to come."""
    tree = replace(tree, sandbox=replace(tree.sandbox, links=_device_links(layout)))
    inside = next((path for path in _PROBES if tree.sandbox.has(path)), None)
    if inside is None:
        yield tree
        return
    with tempfile.TemporaryDirectory() as folder:  # a script open for writing can't be run
        script = Path(folder) / "grub2-probe"
        script.write_text(probe_script(layout), encoding="utf-8")
        script.chmod(0o755)
        binds = {**tree.sandbox.binds, inside: script}
        yield replace(tree, sandbox=replace(tree.sandbox, binds=binds))


def probe_script(layout: Layout) -> str:
    """Return grub2-probe's answers as a shell script: one line for each partition and question."""
    boot, _ = _boot(layout)
    table = "gpt" if layout.table == "gpt" else "msdos"
    cases = []
    for name, partition in {"root": _plain(layout.root), "boot": boot}.items():
        answers = {
            "device": f"/dev/vda{partition.number}", "disk": "/dev/vda",
            "fs": _FS_MODULES[partition.fstype], "fs_uuid": partition.fs_uuid or "",
            "fs_label": partition.label or "", "partuuid": (partition.part_uuid or "").lower(),
            "partmap": table, "drive": f"(hd0,{table}{partition.number})", "abstraction": "",
            "compatibility_hint": f"hd0,{table}{partition.number}",
            "bios_hints": f"hd0,{table}{partition.number}", "hints_string":
            f"--hint-bios=hd0,{table}{partition.number} --hint-efi=hd0,{table}{partition.number}",
        }
        cases += [f"{name}:{key}) echo {shlex.quote(value)} ;;" for key, value in answers.items()]
    return "\n".join([
        "#!/bin/sh",
        "target=fs place=root",
        "while [ $# -gt 0 ]; do",
        "  case $1 in",
        "    --target=*) target=${1#--target=} ;;",
        "    -t|--target) target=$2; shift ;;",
        "    --device|-d|-v|--verbose) ;;",
        f"    /boot|/boot/*|{boot.device}) place=boot ;;",
        f"    {layout.root.device}) place=root ;;",
        "  esac",
        "  shift",
        "done",
        "case $place:$target in",
        *cases,
        "*) echo \"grub2-probe: no answer to $target for $place\" >&2; exit 1 ;;",
        "esac",
    ]) + "\n"
