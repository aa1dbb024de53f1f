"""live-iso: the root tree on a CD or a USB stick, run from there, with nothing on any disk.

On it: LiveOS/squashfs.img, the tree itself without a file system in between; kernel, initramfs
and GRUB out of that tree. dracut's module dmsquash-live mounts the squashfs and lays an overlay in
memory over it (dracut.cmdline(7), "Booting live images"); the kickstart must bring dracut-live
and have the module put into the initramfs, as kickstarts/live.ks does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from builder.artefact import NAMING, TREE, About, Outlook
from builder.formats.archives import squashfs
from builder.formats.machines import tree_kernel
from builder.formats.media import fat, iso, iso_loader
from builder.tree.copies import text
from host.beneath.root import Root
from host.errors import InputError
from host.progress import Progress

name = "live-iso"
title = "live system on an ISO image: CD, USB stick, BIOS and UEFI"
source = TREE
uses = NAMING

_MODULE = "dmsquash-live"
# A flat squashfs can only be laid under an overlay; the option says so before systemd decides.
_ARGUMENTS = "rd.live.image rd.live.overlay.overlayfs=1"
# They lie on the medium beside the tree, once.
_LEFT_OUT = ["boot/initramfs-*", "boot/efi/*"]


def objection(outlook: Outlook) -> str | None:
    """Say what an image lacks that is to start from a medium."""
    if outlook.mounts_a_root:
        return "it is made for a disk, which its /etc/fstab names to mount at /"
    return tree_kernel.missing(outlook)


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the tree and write the medium.

    Raises InputError for a tree that can't start from one: with a disk in its fstab, without
    kernel or boot loader, or with an initramfs that knows no live image.
    """
    label = iso.label(about)
    with tempfile.TemporaryDirectory(dir=folder) as name_of_scratch:
        scratch = Path(name_of_scratch)
        kernel = tree_kernel.of(source, about.epoch, scratch / "kernel")
        _check(source, kernel, about)
        arguments = " ".join([f"root=live:CDLABEL={label}", _ARGUMENTS, *kernel.arguments])
        menu = iso_loader.Menu([
            (f"Start {about.title}", arguments),
            (f"Start {about.title} from memory, so that the medium can be removed",
             f"{arguments} rd.live.ram=1"),
        ], kernel.timeout_s)
        loader = iso_loader.prepare(
            source, about.arch, menu, label, about.epoch, scratch / "loader")
        image = scratch / "squashfs.img"
        squashfs.make(source, image, about.epoch, exclude=_LEFT_OUT,
                      compression=_compression(source, kernel))
        progress.advance(name, 80, "medium")
        content = {
            "LiveOS/squashfs.img": image,
            iso_loader.KERNEL: kernel.image, iso_loader.INITRAMFS: kernel.initramfs,
        }
        iso.write(folder / "live.iso", content, label, about.epoch, loader, scratch / "iso")


def identity() -> Mapping[str, str]:
    """Return the options, and the versions of what packs and writes."""
    return {"arguments": _ARGUMENTS, **squashfs.identity(),
            "for older kernels": " ".join(squashfs.XZ), "iso": iso.version(),
            "fat": fat.version()}


def _compression(root: Path, kernel: tree_kernel.Kernel) -> tuple[str, ...]:
    """Return what the kernel can read: zstd, unless its configuration does not say so."""
    known = "".join(text(Root(root), f"{folder}/config{dash}") for folder, dash in (
        ("/boot", f"-{kernel.version}"), (f"/usr/lib/modules/{kernel.version}", "")))
    return squashfs.COMPRESSION if "CONFIG_SQUASHFS_ZSTD=y" in known else squashfs.XZ


def _check(root: Path, kernel: tree_kernel.Kernel, about: About) -> None:
    lines = text(Root(root), "/etc/fstab").splitlines()
    if any(line.split()[1:2] == ["/"] for line in lines if not line.startswith("#")):
        raise InputError(
            f"{about.image} is made for a disk and can't run from a medium",
            why="its /etc/fstab names the disk to mount at /",
            remedy="take an image without a disk, such as `live`",
        )
    modules = tree_kernel.modules_of_initramfs(root, kernel, about.epoch)
    if _MODULE not in modules:
        raise InputError(
            "the image's initramfs can't start from a medium", where=about.image,
            why=f"it was made without dracut's module {_MODULE}",
            remedy="add dracut-live to %packages, and the module as kickstarts/live.ks does",
        )
