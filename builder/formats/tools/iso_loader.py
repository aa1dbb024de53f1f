"""GRUB on a medium, out of the root tree: by BIOS through El Torito, by UEFI as it was signed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from builder.formats.tools import fat
from builder.formats.tools.iso import Loader
from builder.tree.sandbox import Sandbox
from builder.tree.tree import Tree, named
from host.beneath.root import Root
from host.errors import InputError

KERNEL, INITRAMFS = "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"
"""Where both lie on the medium, as on CentOS's own."""

MENU = "boot/grub2/grub.cfg"
_BIOS_MODULES = "/usr/lib/grub/i386-pc"
_UEFI_NAMES = {"x86_64": "x64", "aarch64": "aa64"}
_OUT = "/run/loader"
_EFI = "/boot/efi/EFI"
_CORE_BYTES = 64 << 20
# Names that come from the tree and go into the medium's list of files.
_MODULE = re.compile(r"[A-Za-z0-9_.+-]+\.(mod|lst)")
_VENDOR = re.compile(r"[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Menu:
    """What the medium offers when it starts.

    entries: title and the kernel's command line of each, the first one is the default.
    """

    entries: Sequence[tuple[str, str]]
    timeout_s: int


def prepare(root: Path, arch: str, menu: Menu, name: str, epoch: int, scratch: Path) -> Loader:
    """Make the loader's parts of what the tree has: BIOS, UEFI, or both.

    name: the medium's label. scratch: an empty folder, which must stay until the medium is
    written. Raises InputError when the tree has no boot loader for either.
    """
    scratch.mkdir()
    (scratch / "out").mkdir()  # the tree's own programs write there: nothing of ours is beside
    tree = Tree(root, Sandbox(root, epoch, writable={_OUT: scratch / "out"}))
    (scratch / "grub.cfg").write_text(menu_text(menu, name), encoding="utf-8")
    content = {MENU: scratch / "grub.cfg"}
    core, mbr = _bios(tree, scratch, content)
    esp = _uefi(tree, arch, name, epoch, scratch, content)
    if core is None and esp is None:
        raise InputError(
            "the image has no boot loader that could start a medium",
            remedy="add grub2-pc and grub2-efi-x64 with shim-x64 to %packages",
        )
    return Loader(core, mbr, esp, content)


def menu_text(menu: Menu, name: str) -> str:
    """Return grub.cfg; a serial console among the kernel's arguments gets the menu, too."""
    lines = [f"set timeout={menu.timeout_s}", "set default=0"]
    if serial := re.search(r"\bconsole=ttyS(\d)(?:,(\d+))?", " ".join(e[1] for e in menu.entries)):
        lines += [f"serial --unit={serial[1]} --speed={serial[2] or 9600}",
                  "terminal_input console serial", "terminal_output console serial"]
    lines.append(f"search --no-floppy --set=root --label '{name}'")
    for title, arguments in menu.entries:
        lines += [f"menuentry '{title.replace(chr(39), '')}' {{",
                  f"    linux /{KERNEL} {arguments}", f"    initrd /{INITRAMFS}", "}"]
    return "\n".join(lines) + "\n"


def _bios(tree: Tree, scratch: Path, content: dict[str, Path]) -> tuple[Path | None, Path | None]:
    """Make the core image by the tree's own GRUB; its other modules come along as files.

    As lorax does it: share/templates.d/99-generic/x86.tmpl.
    """
    hybrid = f"{_BIOS_MODULES}/boot_hybrid.img"
    if not tree.files.is_file(hybrid) or not tree.exists("/usr/bin/grub2-mkimage"):
        return None, None
    tree.run("grub2-mkimage", "-O", "i386-pc-eltorito", "-d", _BIOS_MODULES,
             "-o", f"{_OUT}/eltorito.img", "-p", "/boot/grub2", "iso9660", "biosdisk")
    core, modules = scratch / "eltorito.img", scratch / "i386-pc"
    with named("eltorito.img"):
        Root(scratch / "out").copy_out("/eltorito.img", core, limit_bytes=_CORE_BYTES)
    modules.mkdir()
    for file in tree.names(_BIOS_MODULES):
        if _MODULE.fullmatch(file):
            content[f"boot/grub2/i386-pc/{file}"] = tree.take(
                f"{_BIOS_MODULES}/{file}", modules / file)
    return core, tree.take(hybrid, scratch / "boot_hybrid.img")


def _uefi(
    tree: Tree, arch: str, name: str, epoch: int, scratch: Path, content: dict[str, Path],
) -> Path | None:
    """Put shim and GRUB, signed as they are, where firmware looks for them on any medium.

    A GRUB for media looks for its menu in EFI/BOOT (CentOS: grub2-efi-x64-cdboot's gcdx64.efi),
    that of a disk in the distribution's own folder; so a few lines that lead to the one menu lie
    in both. The fallback loader stays out: shim would prefer it to GRUB.
    """
    short = _UEFI_NAMES.get(arch, "")
    stub = scratch / "uefi.cfg"
    stub.write_text(
        f"search --no-floppy --set=root --label '{name}'\n"
        "set prefix=($root)/boot/grub2\n"
        f"configfile ($root)/{MENU}\n", encoding="utf-8")
    vendors = filter(_VENDOR.fullmatch, tree.names(_EFI))
    for name_of_grub, vendor in product((f"gcd{short}.efi", f"grub{short}.efi"), vendors):
        grub = f"{_EFI}/{vendor}/{name_of_grub}"
        if not tree.files.is_file(grub):
            continue
        first, manager = f"BOOT{short.upper()}.EFI", f"mm{short}.efi"
        shim = next((file for file in (f"{_EFI}/BOOT/{first}", f"{_EFI}/{vendor}/shim{short}.efi")
                     if tree.files.is_file(file)), grub)
        files: dict[str, Path] = {
            f"EFI/BOOT/{first}": tree.take(shim, scratch / first),
            f"EFI/BOOT/grub{short}.efi": tree.take(grub, scratch / name_of_grub),
            "EFI/BOOT/grub.cfg": stub, f"EFI/{vendor}/grub.cfg": stub,
        }
        if tree.files.is_file(f"{_EFI}/{vendor}/{manager}"):
            files[f"EFI/BOOT/{manager}"] = tree.take(
                f"{_EFI}/{vendor}/{manager}", scratch / manager)
        content.update(files)
        esp = scratch / "efiboot.img"
        fat.make(esp, files, epoch, zlib.crc32(name.encode()), "EFI")
        return esp
    return None
