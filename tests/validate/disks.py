"""Real disk images for the tests: partitioned files with a small tree, made by the real tools."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

ROOT_UUID = "11111111-2222-3333-4444-555555555555"
MIB = 1 << 20
ROOT_START_BYTES = 4 * MIB
DISK_BYTES = 128 * MIB

SFDISK = """label: gpt
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649
start=4096, size=4096, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
start=8192, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
"""


def small_tree(root: Path) -> Path:
    """A tree with what the reader looks for, and with traps for one that trusts it."""
    for folder in ("etc/selinux", "usr/lib", "usr/bin", "boot/efi", "tmp", "var/lib"):
        (root / folder).mkdir(parents=True)
    (root / "usr/lib/os-release").write_text('ID="centos"\nVERSION_ID="10"\n')
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "etc/fstab").write_text(f"UUID={ROOT_UUID} / ext4 defaults 0 0\n")
    (root / "etc/machine-id").write_text("")
    (root / "etc/shadow").write_text("root:!:1::::::\n")
    (root / "etc/shadow").chmod(0)
    (root / "usr/bin/su").write_text("")
    (root / "usr/bin/su").chmod(0o4755)
    (root / "usr/bin/bash").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00")
    os.setxattr(root / "etc/shadow", "security.selinux", b"system_u:object_r:shadow_t:s0\0")
    # Traps: a loop, a way out of the image, names that break lines, a file of 1 TiB.
    (root / "etc/loop").symlink_to("loop")
    (root / "etc/passwd").symlink_to("/../../../../../../etc/hostname")
    (root / "etc/outside").symlink_to("../../../../../../../etc/debian_version")
    (root / "tmp/line\nbreak\ttab").write_text("")
    (root / os.fsdecode(b"tmp/not-utf8-\xff")).write_text("")
    with (root / "etc/selinux/config").open("wb") as stream:
        stream.truncate(1 << 40)
    return root


def raw_disk(path: Path, tree: Path) -> Path:
    """A GPT disk of 128 MiB with BIOS boot, EFI system (empty) and an ext4 root."""
    with path.open("wb") as stream:
        stream.truncate(DISK_BYTES)
    subprocess.run(["sfdisk", "-q", str(path)], input=SFDISK, text=True, check=True,
                   capture_output=True)
    size_kib = (DISK_BYTES - ROOT_START_BYTES - MIB) // 1024
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-U", ROOT_UUID, "-L", "root", "-d", str(tree),
         "-E", f"offset={ROOT_START_BYTES}", str(path), f"{size_kib}k"],
        check=True, capture_output=True)
    return path


def qcow2(path: Path, raw: Path) -> Path:
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(path)], check=True)
    return path


def talking_disk(path: Path, text: str) -> Path:
    """A disk whose BIOS boot sector says `text` on the serial port and then hangs.

    cli; xor ax,ax; mov ds,ax; mov si,text; next: lodsb; test al,al; jz hang; mov dx,0x3f8;
    out dx,al; jmp next; hang: hlt; jmp hang
    """
    code = bytes.fromhex("fa31c08ed8be177cac84c07406baf803eeebf5f4ebfd")
    code = code.ljust(23, b"\x90") + text.encode() + b"\0"
    path.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa")
    with path.open("r+b") as stream:
        stream.truncate(MIB)
    return path


def qcow2_that_names(path: Path, other: Path) -> Path:
    """A qcow2 with a backing file, as a thief of the host's files would upload."""
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(other), "-F", "raw", str(path)],
        check=True)
    return path


def qcow2_with_external_data(path: Path, size_bytes: int = MIB) -> Path:
    """A qcow2 header of version 3 whose clusters are in another file (incompatible bit 2)."""
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16, size_bytes, 0, 0, 0, 0, 0, 0, 0,
        1 << 2, 0, 0, 4, 104)
    path.write_bytes(header.ljust(65536, b"\0"))
    return path
