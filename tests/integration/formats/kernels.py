"""Takes an image's kernel and initramfs out of it, and the bare vmlinux out of a bzImage."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from host.appliance import Drive, GuestFS, open_appliance
from host.run import run
from validate.mounts import mount
from validate.stack import filesystems

# Documentation/arch/x86/boot.rst: where a bzImage says what it holds.
_SETUP_SECTORS, _MAGIC, _PAYLOAD_OFFSET = 0x1F1, 0x202, 0x248  # its length follows

# By its first bytes, what unpacks a payload; the kernel's Makefile.lib appends the unpacked size to
# all but gzip's, which has it by itself.
_UNPACKERS: dict[bytes, tuple[list[str], int]] = {
    b"\x1f\x8b": (["gzip", "-dc"], 0),
    b"\xfd7zXZ\0": (["xz", "-dc"], 4),
    b"\x28\xb5\x2f\xfd": (["zstd", "-qdc"], 4),
    b"\x02\x21\x4c\x18": (["lz4", "-dc"], 4),
}

XEN_ELFNOTE_PHYS32_ENTRY = 18
"""The PVH entry point (Xen's public/elfnote.h), which QEMU's -kernel takes as well."""
_PT_NOTE = 4
_LABEL = "image"


@dataclass(frozen=True)
class Boot:
    """What a boot loader would load.

    place: the kernel's path in the image. arguments: its command line in GRUB's menu.
    """

    kernel: Path
    initramfs: Path
    place: str
    arguments: str


def take_out(disk: Path, folder: Path) -> Boot:
    """Download the newest kernel of a raw image, its initramfs, and read its menu entry.

    Libguestfs's appliance opens the image; nothing of it is mounted on the host.
    """
    kernel, initramfs = folder / "vmlinuz", folder / "initramfs"
    with open_appliance([Drive(disk, "raw", _LABEL)], readonly=True) as g:
        _mount(g)
        newest = sorted(one for one in g.glob_expand("/boot/vmlinuz-*") if "rescue" not in one)[-1]
        version = newest.removeprefix("/boot/vmlinuz-")
        g.download(newest, str(kernel))
        g.download(f"/boot/initramfs-{version}.img", str(initramfs))
        menu = g.read_file("/boot/grub2/grub.cfg").decode()
    entry = re.search(rf"(?m)^\s*linux\S*\s+\S*/vmlinuz-{re.escape(version)}\s+(.*)$", menu)
    assert entry, menu
    return Boot(kernel, initramfs, newest, entry[1].strip())


def replace(disk: Path, place: str, content: Path) -> None:
    """Put other content into a file of a qcow2 image."""
    with open_appliance([Drive(disk, "qcow2", _LABEL)], readonly=False) as g:
        root = _mount(g)
        g.umount_all()
        g.mount(root, "/")
        g.upload(str(content), place)


def _mount(g: GuestFS) -> str:
    """Mount the image read-only, and return its root's device."""
    real = g.debug("sh", [f"udevadm settle; readlink -f /dev/disk/guestfs/{_LABEL}"]).strip()
    return mount(g, filesystems(g, real, "/dev/sda", None)).at["/"].device


def unpack(kernel: Path, vmlinux: Path) -> None:
    """Write the ELF file that a bzImage holds."""
    image = kernel.read_bytes()
    assert image[_MAGIC:_MAGIC + 4] == b"HdrS"
    offset, length = struct.unpack_from("<II", image, _PAYLOAD_OFFSET)
    start = ((image[_SETUP_SECTORS] or 4) + 1) * 512 + offset
    payload = image[start:start + length]
    unpacker, size_bytes = next(how for magic, how in _UNPACKERS.items()
                                if payload.startswith(magic))
    packed = vmlinux.with_suffix(".packed")
    packed.write_bytes(payload[:len(payload) - size_bytes])
    run(["sh", "-c", '"$@" <"$IN" >"$OUT"', "sh", *unpacker],
        env={"IN": str(packed), "OUT": str(vmlinux)})
    packed.unlink()


def notes(elf: Path) -> dict[int, bytes]:
    """Return the notes by Xen in a 64-bit ELF file, by their type (elf(5))."""
    image = elf.read_bytes()
    assert image[:5] == b"\x7fELF\x02"
    (headers,) = struct.unpack_from("<Q", image, 0x20)
    size, count = struct.unpack_from("<HH", image, 0x36)
    found: dict[int, bytes] = {}
    for number in range(count):
        kind, _, place, _, _, length = struct.unpack_from("<IIQQQQ", image, headers + number * size)
        at = place
        while kind == _PT_NOTE and at < place + length:
            name_bytes, content_bytes, note = struct.unpack_from("<III", image, at)
            name = image[at + 12:at + 12 + name_bytes]
            content = at + 12 + -(-name_bytes // 4) * 4
            if name == b"Xen\0":
                found[note] = image[content:content + content_bytes]
            at = content + -(-content_bytes // 4) * 4
    return found
