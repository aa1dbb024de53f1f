"""The kernel of a root tree, for what starts it without a disk of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from builder.tree.kernels import kernels
from builder.tree.tree import Tree
from host.errors import InputError

# The settings as grub2-mkconfig reads them; Debian's also reads a folder of more.
_ASK = """\
for file in /etc/default/grub /etc/default/grub.d/*.cfg; do
    if [ -r "$file" ]; then . "$file"; fi
done
printf '%s\\n' "$GRUB_TIMEOUT" "$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"
"""
# What names the disk of an installed system (builder.disk.ancestry).
_OF_A_DISK = re.compile(r"(root|rootflags|resume|rd\.(luks|lvm|md)\.[a-z]+)=")


@dataclass(frozen=True)
class Kernel:
    """A kernel and its initramfs, as copies, and how the tree wants it started.

    arguments: of its command line, without what names a disk. timeout_s: how long a menu waits.
    """

    version: str
    image: Path
    initramfs: Path
    arguments: list[str]
    timeout_s: int


def of(tree: Tree, scratch: Path) -> Kernel:
    """Return the newest kernel of a tree.

    scratch: an empty folder for copies of its files.
    Raises InputError when the tree has none or no initramfs for it.
    """
    found = kernels(tree)
    if not found:
        raise InputError("the image has no kernel to start", remedy="add kernel to %packages")
    version = max(found, key=_numbers)
    initramfs = f"/boot/initramfs-{version}.img"
    if not tree.files.is_file(initramfs):
        raise InputError("the image has no initramfs", why=f"kernel {version}",
                         remedy="add dracut and dracut-config-generic to %packages")
    said = tree.run("/bin/sh", "-c", _ASK).rstrip("\n").split("\n")
    timeout, arguments = ["", "", *said][-2:]  # the settings are a script and may say more
    return Kernel(
        version, tree.take(f"/boot/vmlinuz-{version}", scratch / "vmlinuz"),
        tree.take(initramfs, scratch / "initrd.img"),
        [word for word in arguments.split() if not _OF_A_DISK.match(word)],
        int(timeout) if timeout.isdigit() else 5,
    )


def modules_of_initramfs(tree: Tree, kernel: Kernel) -> set[str]:
    """Return the names of the dracut modules that an initramfs was made with."""
    inside = f"/boot/initramfs-{kernel.version}.img"
    return set(tree.run("/usr/bin/lsinitrd", "--mod", inside).split())


def _numbers(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part)
            for part in re.split(r"(\d+)", version)]
