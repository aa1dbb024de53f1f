"""Real disk images for the tests: partitioned files with a small tree, made by the real tools."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from host.appliance import Drive, GuestFS, open_appliance

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


STACKED_LUKS_UUID = "12345678-0000-4000-8000-123456789abc"
STACKED_KEY = b"correct horse\xff\0battery\n"
"""Bytes that nobody can type, with the newline that cryptsetup's --key-file counts."""
BTRFS_UUID = "22222222-2222-4222-8222-222222222222"

_STACKED_SFDISK = """label: gpt
size=2048, type=21686148-6449-6E6F-744E-656564454649
size=4096, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
size=245760
size=245760
"""
_STACKED = """set -e; exec 2>&1
d=$(readlink -f /dev/disk/guestfs/stacked)
printf '{table}' | sfdisk -q $d; udevadm settle
modprobe raid1
mdadm --create /dev/md/stack --run --level=1 --raid-devices=2 --metadata=1.2 ${{d}}3 ${{d}}4
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
    --key-file /sysroot/key --uuid {luks} /dev/md/stack
cryptsetup open --key-file /sysroot/key /dev/md/stack inner; umount /sysroot
pvcreate -y /dev/mapper/inner; vgcreate cs-one /dev/mapper/inner
lvcreate -y -L 32m -n root cs-one
lvcreate -y -L 24m -T cs-one/pool; lvcreate -y -V 32m -T cs-one/pool -n var
udevadm settle
mke2fs -q -F -t ext4 -L root /dev/cs-one/root; mke2fs -q -F -t ext4 -U {root} /dev/cs-one/var
d=$(readlink -f /dev/disk/guestfs/btrfs)
printf 'label: gpt\\nsize=2048\\nsize=+\\n' | sfdisk -q $d; udevadm settle
mkfs.btrfs -q -f -U {btrfs} ${{d}}2
mount ${{d}}2 /sysroot
for name in home snapshots root; do btrfs subvolume create /sysroot/$name; done
"""


def stacked_disks(folder: Path, tree: Path) -> tuple[Path, Path]:
    """Two GPT disks: root and a thin /var on LVM on LUKS on RAID 1; and btrfs subvolumes.

    All made in one appliance. The btrfs has a home, and an older root as snapshots/old.
    """
    disks = [folder / "stacked.raw", folder / "btrfs.raw"]
    for path in disks:
        with path.open("wb") as stream:
            stream.truncate(256 * MIB)
    drives = [Drive(path, "raw", path.stem) for path in disks]
    with open_appliance(drives, readonly=False) as g:
        g.debug("sh", ["mount -t tmpfs key /sysroot"])
        g.write("/key", STACKED_KEY)
        script = _STACKED.format(
            table=_STACKED_SFDISK.replace("\n", "\\n"), luks=STACKED_LUKS_UUID, root=ROOT_UUID,
            btrfs=BTRFS_UUID)
        g.debug("sh", [script])
        _fill(g, tree, "/root", f"UUID={BTRFS_UUID} / btrfs subvol=root 0 0\n"
                                f"UUID={BTRFS_UUID} /home btrfs defaults,subvol=/home 0 0\n")
        g.write("/home/somebody", "")
        g.debug("sh", ["btrfs subvolume snapshot /sysroot/root /sysroot/snapshots/old 2>&1"])
        g.umount_all()
        g.mount("/dev/cs-one/root", "/")
        _fill(g, tree, "/", "/dev/mapper/cs--one-root / ext4 defaults 0 0\n"
                            f"UUID={ROOT_UUID} /var ext4 defaults 0 0\n")
        g.mount("/dev/cs-one/var", "/var")
        g.mkdir("/var/log")
        g.umount_all()
        g.debug("sh", ["lvm vgchange -an 2>&1; cryptsetup close inner; mdadm --stop --scan 2>&1"])
    return disks[0], disks[1]


def _fill(g: GuestFS, tree: Path, folder: str, fstab: str) -> None:
    """Unpack a tree in the appliance, its file of 1 TiB apart, with an fstab of its own."""
    with subprocess.Popen(
        ["tar", "-C", str(tree), "--exclude=./etc/selinux", "-c", "."], stdout=subprocess.PIPE,
    ) as tar:
        assert tar.stdout is not None
        g.tar_in(f"/dev/fd/{tar.stdout.fileno()}", folder)
    g.write(f"{folder.rstrip('/')}/etc/fstab", fstab)
    g.mkdir_p(f"{folder.rstrip('/')}/home")


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
