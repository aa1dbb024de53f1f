"""How each file system is made: the same command lines on the host and in the appliance."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from builder.disk.parts import SECTOR_BYTES, FileSystem, Partition

EXT = ("ext2", "ext3", "ext4")
FAT = ("vfat", "efi")
KERNEL = ("xfs", "btrfs")  # what only the kernel can fill with extended attributes and all

_FAT32_FROM_BYTES = 512 << 20
_SMALL_FAT32_BYTES = 260 << 20
_FAT_BEGINS = 315532800

# The features of CentOS Stream's own mke2fs.conf. The host's file is not asked: Debian's differs
# from CentOS's and later ones switch on what the target's kernel or GRUB can't read yet.
_EXT2_FEATURES = (
    "ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file",
)
_EXT4_FEATURES = (
    "has_journal", "extent", "64bit", "flex_bg", "huge_file", "dir_nlink", "extra_isize",
    "metadata_csum",
)
_EXT_FEATURES = {
    "ext2": _EXT2_FEATURES, "ext3": (*_EXT2_FEATURES, "has_journal"),
    "ext4": (*_EXT2_FEATURES, *_EXT4_FEATURES),
}


def mke2fs(
    part: FileSystem, target: str, *, options: Sequence[str], tree: str | None,
    zeroed: bool = True,
) -> list[str]:
    """Return the command that makes ext2, ext3 or ext4.

    options: more of the -E kind. tree: the folder to fill it from. zeroed: what was never
    written reads as zeroes, as the holes of an image do; not so behind encryption.
    """
    assert part.fs_uuid is not None
    # The directory hash's seed is random by default; it may as well follow from the UUID.
    seed = uuid.uuid5(uuid.UUID(part.fs_uuid), "hash_seed")
    extended = [f"hash_seed={seed}", "nodiscard", *options]
    block_bytes = 4096
    return [
        "mke2fs", "-q", "-F", "-t", part.fstype, "-b", str(block_bytes), "-I", "256",
        "-O", ",".join(("none", *_EXT_FEATURES[part.fstype])), "-U", part.fs_uuid,
        *(["-L", part.label] if part.label else []),
        # In a loop-free image zeroes are holes: nothing to write now, nothing left for the guest.
        "-E", ",".join([*extended, "lazy_itable_init=0",
                        *(["assume_storage_prezeroed=1"] if zeroed else [])]),
        *(["-d", tree] if tree else []),
        *part.mkfs_options, target, *_size(part, block_bytes),
    ]


def mkfs_vfat(part: FileSystem, target: str, *, offset_bytes: int | None) -> list[str]:
    """Return the command that makes a FAT; offset_bytes: where it starts in a file."""
    assert part.fs_uuid is not None
    # Told, because mkfs.fat decides by the size of the whole file, not of the part for it. A
    # system partition is FAT32 whatever its size (UEFI 2.10, 13.3.1.1).
    wide = part.fstype == "efi" or part.size_bytes >= _FAT32_FROM_BYTES
    return [
        "mkfs.vfat", "--invariant", "-F", "32" if wide else "16", "-g", "255/63",
        # Below 260 MiB, larger clusters would be too few for what readers take for a FAT32.
        *(["-s", "1" if part.size_bytes < _SMALL_FAT32_BYTES else "8"] if wide else []),
        "-i", part.fs_uuid.replace("-", ""),
        # Hidden sectors: how far into the disk the volume starts; some firmware checks it.
        "-h", str(part.start_bytes // SECTOR_BYTES if isinstance(part, Partition) else 0),
        "-S", str(SECTOR_BYTES),
        *(["-n", part.label] if part.label else []), *part.mkfs_options,
        *(["--offset", str(offset_bytes // SECTOR_BYTES)] if offset_bytes is not None else []),
        target, *_size(part, 1024),
    ]


def mkfs_kernel(part: FileSystem, target: str) -> list[str]:
    """Return the command that makes an xfs or a btrfs on a device."""
    assert part.fs_uuid is not None
    label = ["-L", part.label] if part.label else []
    if part.fstype == "xfs":
        # -K: a fresh image is all holes, there is nothing to discard.
        return [
            "mkfs.xfs", "-q", "-f", "-K", "-m", f"uuid={part.fs_uuid}", *label,
            *part.mkfs_options, target,
        ]
    return ["mkfs.btrfs", "-q", "-f", "-K", "-U", part.fs_uuid, *label, *part.mkfs_options, target]


def mount_options(part: FileSystem) -> list[str]:
    """Return the options under which a file system is filled.

    A btrfs is compressed while it is written, as Anaconda does it: by the options of its mount.
    """
    options = ["noatime"]
    if part.fstype == "btrfs":
        wanted = part.fstab_options.split(",")
        options += [option for option in wanted if option.startswith("compress")]
    if part.subvolume is not None:
        options.append(f"subvol={part.subvolume}")
    return options


def _size(part: FileSystem, block_bytes: int) -> list[str]:
    """Return how many blocks a file system takes: told for a partition, which may be in a file.

    A volume is a device, whose size follows from what it is made of: mkfs asks the kernel.
    """
    return [str(part.size_bytes // block_bytes)] if isinstance(part, Partition) else []


def fat_time(epoch: int) -> int:
    """Return the time that a FAT can hold next to a given one: its years begin with 1980."""
    return max(epoch, _FAT_BEGINS)


def swap_area(part: FileSystem) -> bytes:
    """Return the first page of a swap partition (union swap_header, linux/swap.h).

    mkswap learned --offset only in util-linux 2.40, and it is 4096 bytes.
    """
    assert part.fs_uuid is not None
    page = bytearray(4096)
    last_page = part.size_bytes // 4096 - 1
    page[1024:1036] = b"".join(number.to_bytes(4, "little") for number in (1, last_page, 0))
    page[1036:1052] = uuid.UUID(part.fs_uuid).bytes
    page[1052:1068] = (part.label or "").encode().ljust(16, b"\0")
    page[4086:4096] = b"SWAPSPACE2"
    return bytes(page)
