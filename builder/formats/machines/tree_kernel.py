"""The kernel of a root tree, for what starts it without a disk of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from builder.artefact import Outlook
from builder.disk.volumes.registry import all_kinds
from builder.sandbox.sandbox import Sandbox
from builder.tree.copies import copies
from builder.tree.kernels import kernels
from builder.tree.tree import Tree
from host.beneath.root import Root
from host.errors import InputError

# The settings as grub2-mkconfig reads them; Debian's also reads a folder of more.
_ASK = """\
for file in /etc/default/grub /etc/default/grub.d/*.cfg; do
    if [ -r "$file" ]; then . "$file"; fi
done
printf '%s\\n' "$GRUB_TIMEOUT" "$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"
"""
# A kernel has some 15 MB, an initramfs with all drivers less than 200.
_LIMIT_BYTES = 2 << 30
_LONGEST_WAIT = re.compile(r"[0-9]{1,4}")
# What names the disk of an installed system (builder/disk/ancestry.py), whatever it stands on.
_OF_A_DISK = re.compile("({})=".format("|".join(["root", "rootflags", "resume", *(
    rf"{re.escape(kind.opener.argument)}\.[a-z]+" for kind in all_kinds().values()
    if kind.opener.argument)])))


@dataclass(frozen=True)
class Kernel:
    """A kernel and its initramfs, as copies on the host, and how the tree wants it started.

    arguments: of its command line, without what names a disk. timeout_s: how long a menu waits.
    """

    version: str
    image: Path
    initramfs: Path
    arguments: list[str]
    timeout_s: int


def missing(outlook: Outlook) -> str | None:
    """Say what keeps an image from being started, as far as its packages tell."""
    if not outlook.has_kernel:
        return "it has no kernel to start: %packages brings none"
    return None if outlook.has_dracut else "it has no initramfs: %packages brings no dracut"


def of(root: Path, epoch: int, scratch: Path) -> Kernel:
    """Return the newest kernel of a tree.

    scratch: a new folder for the copies, which must stay as long as they are wanted.
    Raises InputError when the tree has none or no initramfs for it, or they are no plain files.
    """
    tree, inside = Tree(root, Sandbox(root, epoch)), Root(root)
    found = kernels(tree)
    if not found:
        raise InputError("the image has no kernel to start", remedy="add kernel to %packages")
    version = max(found, key=_numbers)
    if not inside.exists(_initramfs(version), follow=False):
        raise InputError("the image has no initramfs", why=f"kernel {version}",
                         remedy="add dracut and dracut-config-generic to %packages")
    files = copies(inside, {"vmlinuz": f"/boot/vmlinuz-{version}",
                            "initramfs": _initramfs(version)}, scratch, _LIMIT_BYTES)
    timeout, _, arguments = tree.run("/bin/sh", "-c", _ASK).rstrip("\n").partition("\n")
    return Kernel(
        version, files["vmlinuz"], files["initramfs"],
        [word for word in arguments.split() if not _OF_A_DISK.match(word)],
        int(timeout) if _LONGEST_WAIT.fullmatch(timeout) else 5,
    )


def modules_of_initramfs(root: Path, kernel: Kernel, epoch: int) -> set[str]:
    """Return the names of the dracut modules that an initramfs was made with."""
    said = Tree(root, Sandbox(root, epoch)).run(
        "/usr/bin/lsinitrd", "--mod", _initramfs(kernel.version))
    return set(said.split())


def _initramfs(version: str) -> str:
    return f"/boot/initramfs-{version}.img"


def _numbers(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part)
            for part in re.split(r"([0-9]+)", version)]
