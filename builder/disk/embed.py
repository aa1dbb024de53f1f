"""Which bytes on a disk make a BIOS start GRUB: what grub-bios-setup writes, without a device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from builder.disk.model import Layout
from builder.disk.parts import SECTOR_BYTES
from host.beneath.root import Root
from host.beneath.walk import NOT_THERE
from host.errors import InputError


class Patch(NamedTuple):
    """Bytes that belong at an offset of the disk."""

    offset_bytes: int
    data: bytes


# Offsets from GRUB's include/grub/i386/pc/boot.h and include/grub/offsets.h.
_BPB_START, _BPB_END = 0x03, 0x5A  # GRUB_BOOT_MACHINE_BPB_*: a FAT's own data, not code
_KERNEL_SECTOR = 0x5C              # GRUB_BOOT_MACHINE_KERNEL_SECTOR: where core.img starts
_DRIVE_CHECK = 0x66                # GRUB_BOOT_MACHINE_DRIVE_CHECK: the floppy workaround
_CODE_END = 0x1B8                  # the disk signature and the partition table follow
_BLOCKLIST = SECTOR_BYTES - 12     # diskboot.img: u64 first sector, u16 sectors, u16 segment
_CORE_BYTES = 4 << 20              # GRUB 2 makes core images of some 100 KiB


def tree_patches(layout: Layout, tree: Path, folder: str) -> list[Patch]:
    """Return GRUB's bytes out of a root tree; none where the tree has no core image.

    folder: where boot.img and core.img lie in the tree, which scripts had their hands in.
    Raises InputError when one of them is no regular file, and for what boot_patches() refuses.
    """
    root = Root(tree)
    if not root.exists(f"{folder}/core.img", follow=False):
        return []
    boot = _read(root, f"{folder}/boot.img", SECTOR_BYTES)
    return boot_patches(layout, boot, _read(root, f"{folder}/core.img", _CORE_BYTES))


def _read(root: Root, path: str, limit_bytes: int) -> bytes:
    try:
        return root.read(path, limit_bytes, follow=True)
    except OSError as error:
        if error.errno in NOT_THERE:
            raise InputError("a part of GRUB is missing", where=path,
                             why="the tree has GRUB's core image or its boot sector alone",
                             remedy="see which script removed the other") from error
        raise


def boot_patches(layout: Layout, boot_img: bytes, core_img: bytes) -> list[Patch]:
    """Return what must be written for a BIOS to start GRUB from this disk.

    core.img goes into the BIOS boot partition of a GPT, or into the gap between an MBR table
    and the first partition. The rules are those of util/setup.c of GRUB 2, without its
    Reed-Solomon padding, which guards against other programs that write into that gap.

    boot_img: /boot/grub2/i386-pc/boot.img, 512 bytes. core_img: made by grub2-mkimage -O i386-pc.
    Raises InputError when the layout has no room for core.img or the bytes are not GRUB's.
    """
    _check_images(boot_img, core_img)
    start_bytes, room_bytes = _room(layout)
    if len(core_img) > room_bytes:
        raise InputError(
            "GRUB's core image does not fit on the disk",
            why=f"it has {len(core_img)} bytes, the room for it {room_bytes}",
            remedy="make the biosboot partition larger" if layout.table == "gpt"
            else "leave a larger gap before the first partition",
        )
    core_sector = start_bytes // SECTOR_BYTES
    boot = bytearray(boot_img[:_CODE_END])
    boot[_BPB_START:_BPB_END] = bytes(_BPB_END - _BPB_START)
    boot[_KERNEL_SECTOR:_KERNEL_SECTOR + 8] = core_sector.to_bytes(8, "little")
    # Two nops in place of a jump: on a hard disk GRUB then corrects a BIOS that hands over the
    # number of a floppy drive (setup.c: "If DEST_DRIVE is a hard disk, enable the workaround").
    boot[_DRIVE_CHECK:_DRIVE_CHECK + 2] = b"\x90\x90"
    core = bytearray(core_img)
    core[_BLOCKLIST:_BLOCKLIST + 8] = (core_sector + 1).to_bytes(8, "little")
    return [Patch(0, bytes(boot)), Patch(start_bytes, bytes(core))]


def write_patches(patches: Sequence[Patch], image: Path) -> None:
    """Write bytes at their offsets of an image file. Raises OSError."""
    descriptor = os.open(image, os.O_WRONLY)
    try:
        for patch in patches:
            os.pwrite(descriptor, patch.data, patch.offset_bytes)
    finally:
        os.close(descriptor)


def _room(layout: Layout) -> tuple[int, int]:
    """Return where core.img goes and how many bytes are free there."""
    if layout.table == "gpt":
        for part in layout.partitions:
            if part.fstype == "biosboot":
                return part.start_bytes, part.size_bytes
        raise InputError(
            "the disk has no BIOS boot partition", where=f"{layout.table} layout",
            remedy="add `part biosboot --fstype=biosboot --size=1`",
        )
    first_bytes = min(part.start_bytes for part in layout.partitions)
    return SECTOR_BYTES, first_bytes - SECTOR_BYTES


def _check_images(boot_img: bytes, core_img: bytes) -> None:
    if len(boot_img) != SECTOR_BYTES or boot_img[-2:] != b"\x55\xaa":
        raise InputError("boot.img is not GRUB's boot sector", why=f"it has {len(boot_img)} bytes")
    # mkimage has put the number of the sectors behind the first one where diskboot.img reads it.
    told = int.from_bytes(core_img[_BLOCKLIST + 8:_BLOCKLIST + 10], "little")
    there = -(-len(core_img) // SECTOR_BYTES) - 1
    if len(core_img) <= SECTOR_BYTES or told != there:
        raise InputError(
            "core.img is not a core image for i386-pc",
            why=f"its block list tells of {told} sectors, it has {there}",
            remedy="make it with `grub2-mkimage -O i386-pc`",
        )
