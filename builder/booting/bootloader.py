"""The boot loader's files in the root tree: GRUB's settings, menu, BIOS core image and UEFI stub.

Everything is made by the tree's own GRUB; what it asks about the disk, which is not there yet,
builder/booting/grub_probe.py answers.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from pathlib import Path

from builder.booting.grub_probe import (
    FS_MODULES,
    abstraction,
    boot_place,
    disk_in_sight,
    drive,
    probe_script,
)
from builder.disk.ancestry import kernel_arguments, root_arguments
from builder.disk.layout import Layout
from builder.kickstart.commands.services import crashkernel
from builder.kickstart.read import Command, Kickstart
from builder.kickstart.storage.boot import boot_loader
from builder.tree.kernels import kernels
from builder.tree.shell_values import double_quoted
from builder.tree.tree import Tree, named
from host.beneath.walk import kind
from host.errors import HostError, InputError, ProgramError

__all__ = ["BIOS_FILES", "disk_in_sight", "install", "kernel_options", "probe_script",
           "write_settings"]

BIOS_MODULES = Path("/usr/lib/grub/i386-pc")
BIOS_FILES = "/boot/grub2/i386-pc"
_ENTRIES = "/boot/loader/entries"
_EFI = "/boot/efi/EFI"


def write_settings(tree: Tree, kickstart: Kickstart, layout: Layout) -> None:
    """Write /etc/default/grub and /etc/kernel/cmdline as Anaconda does for `bootloader`, the first
    byte for byte (pyanaconda/modules/storage/bootloader/grub2.py, write_defaults).

    --append goes on the kernel's command line, --timeout is the menu's; --location=none or
    --disabled writes nothing. Without partitions there is no root to name. The kdump add-on
    reserves its memory there. A serial console among the arguments gets GRUB's own menu, too.
    """
    command = boot_loader(kickstart)
    if command is None:
        return
    data = command.data
    appended = _appended(tree, kickstart, command)
    # grub2-mkconfig itself writes root= and a btrfs's rootflags=.
    own = kernel_arguments(layout) if layout.partitions else []
    arguments = " ".join([*own, *([appended] if appended else [])])
    lines = [
        f"GRUB_TIMEOUT={5 if data.timeout is None else data.timeout}",
        "GRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/system-release)\"",
        "GRUB_DEFAULT=saved",
        "GRUB_DISABLE_SUBMENU=true",
        *_terminal(arguments),
        f"GRUB_CMDLINE_LINUX={double_quoted(arguments)}",
        'GRUB_DISABLE_RECOVERY="true"',
        "GRUB_ENABLE_BLSCFG=true",
    ]
    tree.write("/etc/default/grub", "\n".join(lines) + "\n")
    if layout.partitions:
        tree.write("/etc/kernel/cmdline", f"{kernel_options(layout, appended)}\n")


def install(tree: Tree, kickstart: Kickstart, layout: Layout) -> None:
    """Make the menu, the core image for BIOS and the stub for UEFI, as far as the tree has GRUB.

    Raises InputError when the kickstart asks for a boot loader that %packages does not bring, or
    that has no kernel to start or no room on the disk, HostError when one of GRUB's tools fails or
    can't be used here.
    """
    command = boot_loader(kickstart)
    if command is None:
        return
    if not kernels(tree):
        raise InputError("the image has a boot loader and no kernel", where=command.where,
                         why="there is no /boot/vmlinuz-… with modules of its version",
                         remedy="add kernel to %packages, or say `bootloader --location=none`")
    _check_architecture(os.uname().machine, command.where)
    if not tree.exists("/usr/sbin/grub2-mkconfig"):
        raise InputError("the image has a kernel and no boot loader", where=command.where,
                         remedy="add grub2-pc and grub2-efi-x64 to %packages, "
                                "or say `bootloader --location=none`")
    _refuse_odd(tree)
    try:
        if not tree.exists("/boot/grub2/grubenv"):
            tree.run("grub2-editenv", "/boot/grub2/grubenv", "create")
        # CentOS's profile hides the menu (Anaconda's data/profile.d/centos.conf, menu_auto_hide),
        # as long as the boot before was a success.
        tree.run("grub2-editenv", "/boot/grub2/grubenv", "set", "menu_auto_hide=1",
                 "boot_success=1")
        appended = _appended(tree, kickstart, command)
        _point_entries_at(tree, layout, kernel_options(layout, appended))
        with disk_in_sight(tree, layout) as sighted:
            sighted.run("grub2-mkconfig", "-o", "/boot/grub2/grub.cfg")
        if tree.files.is_folder(str(BIOS_MODULES)):
            _make_bios_files(tree, layout, command.where)
    except ProgramError as error:
        raise HostError(f"{error.argv[0]} failed in the tree", why=error.why) from error
    _write_uefi_stubs(tree, layout)


def _refuse_odd(tree: Tree) -> None:
    """Raise InputError for a FIFO or device where GRUB's tools read and write: they would wait.

    A package or %pre-install could have made it.
    """
    for folder in ("/boot", str(BIOS_MODULES)):
        for found in tree.files.walk(folder):
            status = found.status
            if found.is_link:
                with named(found.path):
                    status = tree.files.stat(found.path, follow=True) or status
            if stat.S_IFMT(status.st_mode) not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                raise InputError(f"{found.path} is {kind(status.st_mode)} where a file belongs",
                                 remedy="remove it in the package or script that made it")


def kernel_options(layout: Layout, arguments: str) -> str:
    """Return the kernel's command line: the root, the way to it, what the kickstart appends."""
    root, *flags = root_arguments(layout)
    return " ".join([root, "ro", *flags, *kernel_arguments(layout), arguments]).strip()


def _appended(tree: Tree, kickstart: Kickstart, command: Command) -> str:
    """Return what goes on the kernel's command line; with a password for the boot loader, dracut
    gives nobody a shell (grub2.py, write_config)."""
    shell = "rd.shell=0" if command.data.password else None
    words = (crashkernel(kickstart, tree), command.data.appendLine, shell)
    return " ".join(word for word in words if word)


def _check_architecture(machine: str, where: str) -> None:
    missing = {"ppc64le": "GRUB into a PReP partition", "s390x": "zipl's boot record"}
    if machine in missing:
        raise HostError(
            f"the builder does not write {missing[machine]} yet", where=where,
            why=f"this is {machine}", remedy="say `bootloader --location=none`",
        )


def _terminal(arguments: str) -> list[str]:
    serial = re.search(r"\bconsole=ttyS(\d)(?:,(\d+))?", arguments)
    if not serial:
        return ['GRUB_TERMINAL_OUTPUT="console"']
    command = f"serial --unit={serial[1]} --speed={serial[2] or 9600}"
    return ['GRUB_TERMINAL="serial console"', f'GRUB_SERIAL_COMMAND="{command}"']


def _point_entries_at(tree: Tree, layout: Layout, options: str) -> None:
    """Give Boot Loader Specification entries, where the kernel's scriptlets made some, our options
    and the paths that GRUB sees.

    They were written before this disk had a layout, with the build host's /proc/cmdline.
    """
    _, grub = boot_place(layout)
    top = grub.removesuffix("/grub2")
    for entry in tree.names(_ENTRIES, "*.conf"):
        text = tree.read(f"{_ENTRIES}/{entry}")
        text = re.sub(r"(?m)^options .*$", lambda _: f"options {options}", text)
        text = re.sub(r"(?m)^(linux|initrd)(\s+)(?:/\S*)?/([^/\s]+)", rf"\1\2{top}/\3", text)
        tree.write(f"{_ENTRIES}/{entry}", text)


def _make_bios_files(tree: Tree, layout: Layout, where: str) -> None:
    """Put GRUB's modules, boot.img and a core image that finds them into /boot/grub2/i386-pc.

    A GPT without a BIOS boot partition starts by UEFI only, as Anaconda would have installed it
    on such a machine.
    """
    if not _takes_bios(layout):
        if layout.at("/boot/efi"):
            return
        raise InputError("the disk has no BIOS boot partition", where=where,
                         remedy="add `part biosboot --fstype=biosboot --size=1`")
    tree.run("/bin/sh", "-ec", bios_script(layout))


def bios_script(layout: Layout) -> str:
    """Return shell commands that make GRUB's files for BIOS; empty where the disk takes none."""
    if not _takes_bios(layout):
        return ""
    place, folder = boot_place(layout)
    table = "gpt" if layout.table == "gpt" else "msdos"
    name = drive(layout, place)
    make = shlex.join([
        "grub2-mkimage", "-O", "i386-pc", "-o", f"{BIOS_FILES}/core.img",
        # Without the disk's number: GRUB takes that of the disk it was started from.
        "-p", f"({name.removeprefix('hd0')}){folder}",
        "biosdisk", f"part_{table}", *abstraction(layout, place), FS_MODULES[place.fstype],
    ])
    return (f"mkdir -p {BIOS_FILES}\n"
            f"cp {BIOS_MODULES}/*.mod {BIOS_MODULES}/*.lst {BIOS_MODULES}/boot.img {BIOS_FILES}/\n"
            f"{make}\n")


def _takes_bios(layout: Layout) -> bool:
    return layout.table != "gpt" or any(p.fstype == "biosboot" for p in layout.partitions)


def _write_uefi_stubs(tree: Tree, layout: Layout) -> None:
    """Beside every grubx64.efi, write the few lines that lead to the one menu in /boot/grub2."""
    place, folder = boot_place(layout)
    for vendor in tree.names(_EFI):
        if tree.names(f"{_EFI}/{vendor}", "grub*.efi"):
            tree.write(
                f"{_EFI}/{vendor}/grub.cfg",
                f"search --no-floppy --fs-uuid --set=dev {place.fs_uuid}\n"
                f"set prefix=($dev){folder}\n"
                "export $prefix\n"
                "configfile $prefix/grub.cfg\n",
            )
