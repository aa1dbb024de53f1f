"""GRUB on a medium, out of the root tree: by BIOS through El Torito, by UEFI as it was signed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.formats.media import fat
from builder.formats.media.iso import Loader
from builder.sandbox.sandbox import Sandbox
from builder.tree.copies import copies, plain_names
from builder.tree.tree import Tree
from host.beneath.root import Root
from host.errors import InputError

KERNEL, INITRAMFS = "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"
"""Where both lie on the medium, as on CentOS's own."""

MENU = "boot/grub2/grub.cfg"
_BIOS_MODULES = "/usr/lib/grub/i386-pc"
_UEFI_NAMES = {"x86_64": "x64", "aarch64": "aa64"}
_EFI = "/boot/efi/EFI"
_OUT = "/run/loader"
# GRUB for BIOS has some 3 MB of modules; shim, GRUB and MokManager 1 to 5 MB each.
_LIMIT_BYTES = 64 << 20


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
    (scratch / "grub.cfg").write_text(menu_text(menu, name), encoding="utf-8")
    content = {MENU: scratch / "grub.cfg"}
    core, mbr = _bios(root, epoch, scratch, content)
    esp = _uefi(Root(root), arch, name, epoch, scratch, content)
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


def _bios(
    root: Path, epoch: int, scratch: Path, content: dict[str, Path],
) -> tuple[Path | None, Path | None]:
    """Make the core image by the tree's own GRUB; its other modules come along as files.

    As lorax does it: share/templates.d/99-generic/x86.tmpl. The tree's program writes into a
    folder of its own, so that it can't put links where we write.
    """
    inside = Root(root)
    hybrid = f"{_BIOS_MODULES}/boot_hybrid.img"
    if not (inside.exists(hybrid, follow=False) and inside.exists("/usr/bin/grub2-mkimage")):
        return None, None
    made = scratch / "made"
    made.mkdir()
    Tree(root, Sandbox(root, epoch, writable={_OUT: made})).run(
        "grub2-mkimage", "-O", "i386-pc-eltorito", "-d", _BIOS_MODULES,
        "-o", f"{_OUT}/eltorito.img", "-p", "/boot/grub2", "iso9660", "biosdisk")
    core = copies(Root(made), {"eltorito.img": "/eltorito.img"}, scratch, _LIMIT_BYTES)
    wanted = {name: f"{_BIOS_MODULES}/{name}" for name in plain_names(inside, _BIOS_MODULES)
              if name.endswith((".mod", ".lst"))}
    files = copies(inside, {"boot_hybrid.img": hybrid, **wanted}, scratch / "i386-pc",
                   _LIMIT_BYTES)
    for name in wanted:
        content[f"boot/grub2/i386-pc/{name}"] = files[name]
    return core["eltorito.img"], files["boot_hybrid.img"]


def _uefi(
    root: Root, arch: str, name: str, epoch: int, scratch: Path, content: dict[str, Path],
) -> Path | None:
    """Put shim and GRUB, signed as they are, where firmware looks for them on any medium.

    A GRUB for media looks for its menu in EFI/BOOT (CentOS: grub2-efi-x64-cdboot's gcdx64.efi),
    that of a disk in the distribution's own folder; so a few lines that lead to the one menu lie
    in both. The fallback loader stays out: shim would prefer it to GRUB.
    """
    short = _UEFI_NAMES.get(arch, "")
    first = f"BOOT{short.upper()}.EFI"
    vendors = plain_names(root, _EFI)
    grubs = [(vendor, f"{_EFI}/{vendor}/{kind}{short}.efi")
             for kind in ("gcd", "grub") for vendor in vendors]
    found = next((each for each in grubs if root.exists(each[1], follow=False)), None)
    if found is None:
        return None
    vendor, grub = found
    shims = (f"{_EFI}/BOOT/{first}", f"{_EFI}/{vendor}/shim{short}.efi")
    wanted = {
        first: next((each for each in shims if root.exists(each, follow=False)), grub),
        f"grub{short}.efi": grub,
    }
    manager = f"mm{short}.efi"
    if root.exists(f"{_EFI}/{vendor}/{manager}", follow=False):
        wanted[manager] = f"{_EFI}/{vendor}/{manager}"
    programs = copies(root, wanted, scratch / "efi", _LIMIT_BYTES)
    stub = scratch / "uefi.cfg"
    stub.write_text(
        f"search --no-floppy --set=root --label '{name}'\n"
        "set prefix=($root)/boot/grub2\n"
        f"configfile ($root)/{MENU}\n", encoding="utf-8")
    files = {**{f"EFI/BOOT/{each}": file for each, file in programs.items()},
             "EFI/BOOT/grub.cfg": stub, f"EFI/{vendor}/grub.cfg": stub}
    content.update(files)
    esp = scratch / "efiboot.img"
    fat.make(esp, files, epoch, zlib.crc32(name.encode()), "EFI")
    return esp
