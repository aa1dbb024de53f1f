"""vdi: VirtualBox's own disk, with the blocks in use only."""

from __future__ import annotations

import struct
from pathlib import Path

from builder.artefact import DISK, About
from builder.formats.disk_files.blocks import MIB, blocks, opened, put, write_all
from builder.formats.disk_files.identity import Identity
from host.progress import Progress

name = "vdi"
title = "VDI: VirtualBox"
source = DISK
uses = ()

# The header of version 1.1 as VirtualBox has it in Storage/VDICore.h (VDIHEADER1), and QEMU in
# block/vdi.c: text, signature, version, then the header itself with its own length. Its ids
# are little-endian, as in all that came from Windows.
_BLOCK_BYTES = MIB
_HEADER = struct.Struct("<64sIIIII256sIIIIIIIQIIII16s16s16s16s")
_HEADER_BYTES = 0x180
_TEXT = b"<<< Oracle VM VirtualBox Disk Image >>>\n"  # by this file(1) knows a VDI
_SIGNATURE, _VERSION, _DYNAMIC = 0xBEDA107F, 0x00010001, 1
_MAP_AT = 512
_UNUSED = 0xFFFFFFFF


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write header, block map and the blocks that are not zeroes."""
    with opened(source) as disk, (folder / "vdi").open("wb", buffering=0) as target:
        ids = Identity(name, disk.size_bytes, about.epoch)
        blockmap = [_UNUSED] * -(-disk.size_bytes // _BLOCK_BYTES)
        # VirtualBox, too, has its blocks begin at a whole MiB.
        data_at = -(-(_MAP_AT + 4 * len(blockmap)) // MIB) * MIB
        count = 0
        for number, data in blocks(disk, _BLOCK_BYTES, progress, name):
            ids.see(number, data)
            blockmap[number] = count
            put(target.fileno(), data, data_at + count * _BLOCK_BYTES)
            count += 1
        target.truncate(data_at + count * _BLOCK_BYTES)
        header = _HEADER.pack(
            _TEXT, _SIGNATURE, _VERSION, _HEADER_BYTES, _DYNAMIC, 0, b"", _MAP_AT, data_at,
            0, 0, 0, 512, 0, disk.size_bytes, _BLOCK_BYTES, 0, len(blockmap), count,
            ids.uuid("image").bytes_le, ids.uuid("last change").bytes_le, bytes(16), bytes(16),
        )
        packed = struct.pack(f"<{len(blockmap)}I", *blockmap)
        write_all(target.fileno(), header.ljust(_MAP_AT, b"\0") + packed, 0)


def identity() -> dict[str, str]:
    """Return nothing: all that shapes it is written here."""
    return {}
