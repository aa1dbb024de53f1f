"""GRUB on a medium, out of the root tree: by BIOS through El Torito, by UEFI as it was signed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.formats.tools import fat
from builder.formats.tools.iso import Loader
from builder.tree.sandbox import Sandbox
from builder.tree.tree import Tree
from host.errors import InputError

KERNEL, INITRAMFS = "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"
"""Where both lie on the medium, as on CentOS's own."""

MENU = "boot/grub2/grub.cfg"
_BIOS_MODULES = "/usr/lib/grub/i386-pc"
_UEFI_NAMES = {"x86_64": "x64", "aarch64": "aa64"}
_OUT = "/run/loader"


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
    tree = Tree(root, Sandbox(root, epoch, writable={_OUT: scratch}))
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
    modules = tree.path(_BIOS_MODULES)
    hybrid = modules / "boot_hybrid.img"
    if not hybrid.is_file() or not tree.exists("/usr/bin/grub2-mkimage"):
        return None, None
    tree.run("grub2-mkimage", "-O", "i386-pc-eltorito", "-d", _BIOS_MODULES,
             "-o", f"{_OUT}/eltorito.img", "-p", "/boot/grub2", "iso9660", "biosdisk")
    for file in (*modules.glob("*.mod"), *modules.glob("*.lst")):
        content[f"boot/grub2/i386-pc/{file.name}"] = file
    return scratch / "eltorito.img", hybrid


def _uefi(
    tree: Tree, arch: str, name: str, epoch: int, scratch: Path, content: dict[str, Path],
) -> Path | None:
    """Put shim and GRUB, signed as they are, where firmware looks for them on any medium.

    A GRUB for media looks for its menu in EFI/BOOT (CentOS: grub2-efi-x64-cdboot's gcdx64.efi),
    that of a disk in the distribution's own folder; so a few lines that lead to the one menu lie
    in both. The fallback loader stays out: shim would prefer it to GRUB.
    """
    short = _UEFI_NAMES.get(arch, "")
    efi = tree.path("/boot/efi/EFI")
    stub = scratch / "uefi.cfg"
    stub.write_text(
        f"search --no-floppy --set=root --label '{name}'\n"
        "set prefix=($root)/boot/grub2\n"
        f"configfile ($root)/{MENU}\n", encoding="utf-8")
    for grub in (*sorted(efi.glob(f"*/gcd{short}.efi")), *sorted(efi.glob(f"*/grub{short}.efi"))):
        vendor = grub.parent
        first = f"BOOT{short.upper()}.EFI"
        shim = next((file for file in (efi / "BOOT" / first, vendor / f"shim{short}.efi")
                     if file.is_file()), grub)
        files: dict[str, Path] = {
            f"EFI/BOOT/{first}": shim, f"EFI/BOOT/grub{short}.efi": grub,
            "EFI/BOOT/grub.cfg": stub, f"EFI/{vendor.name}/grub.cfg": stub,
        }
        manager = vendor / f"mm{short}.efi"
        if manager.is_file():
            files[f"EFI/BOOT/{manager.name}"] = manager
        content.update(files)
        esp = scratch / "efiboot.img"
        fat.make(esp, files, epoch, zlib.crc32(name.encode()), "EFI")
        return esp
    return None
