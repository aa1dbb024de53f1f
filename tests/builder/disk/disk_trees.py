"""A small root tree with everything that is easily lost, and ways to read a disk image back."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.disk.layout import Layout, Partition, PartitionRequest, plan_layout
from builder.disk.parts import Table

EPOCH = 1_700_000_000
MIB = 1 << 20

# struct vfs_cap_data, revision 2: cap_net_bind_service, permitted and effective.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
# An access ACL that lets user 1234 read: struct posix_acl_xattr_header and its entries.
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, who) for tag, permissions, who in (
        (0x01, 6, 0xFFFFFFFF), (0x02, 4, 1234), (0x04, 4, 0xFFFFFFFF),
        (0x10, 4, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF),
    )
)


def request(mountpoint: str, size_mib: int | None = None, **more: object) -> PartitionRequest:
    return PartitionRequest.model_validate(
        {"mountpoint": mountpoint, "size_mib": size_mib, "where": "test.ks:1", **more},
    )


def hybrid_layout(root_fstype: str = "xfs", table: Table = "gpt", disk_mib: int = 512) -> Layout:
    """BIOS boot partition, EFI system partition, /boot on ext4 and / – as GenericCloud has it."""
    requests = [
        request("biosboot", 1), request("/boot/efi", 60), request("/boot", 80, fstype="ext4",
                                                                  label="boot"),
        request("/", 300, fstype=root_fstype, grow=True, label="root"), request("swap", 16),
    ]
    if table == "msdos":
        del requests[0]
    return plan_layout(requests, disk_mib * MIB, table, "a seed")


def partition_at(layout: Layout, mountpoint: str) -> Partition:
    """Return what is mounted at a path of a layout of plain partitions."""
    part = layout.at(mountpoint)
    assert isinstance(part, Partition)
    return part


def make_tree(root: Path) -> Path:
    """Fill a folder with owners, modes, times, links, holes, devices, attributes, odd names."""
    for folder in ("boot/efi/EFI/BOOT", "boot/grub2/i386-pc", "etc", "proc", "sys", "dev", "run",
                   "tmp", "usr/bin", "usr/share/odd", "var/empty"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "boot/efi/EFI/BOOT/BOOTX64.EFI").write_bytes(os.urandom(300_000))
    (root / "boot/efi/EFI/BOOT/fallback name.csv").write_text("shim,CentOS\n")
    (root / "boot/vmlinuz-6.1").write_bytes(os.urandom(2_000_000))
    (root / "boot/grub2/grub.cfg").write_text("set timeout=1\n")
    (root / "etc/shadow").write_text("root:!::0:99999:7:::\n")
    (root / "etc/shadow").chmod(0)
    odd = root / "usr/share/odd"
    for name in ("with space", "new\nline", "späße", "-dash", "back\\slash", "[a]*?", "x" * 255):
        (odd / name).write_text(name)
    Path(os.fsdecode(bytes(odd) + b"/latin\xe9")).write_bytes(b"not UTF-8")
    (odd / "empty").touch()
    (odd / "link").symlink_to("with space")
    (odd / "dangling").symlink_to("/nowhere/" + "far/" * 30)
    (odd / "many").write_bytes(b"same")
    (odd / "twin").hardlink_to(odd / "many")
    (root / "usr/bin/triplet").hardlink_to(odd / "many")
    with (odd / "holes").open("wb") as stream:
        stream.write(b"head")
        stream.seek(40 * MIB)
        stream.write(b"tail")
    for place in (odd, root / "boot"):  # as a swap file: `dd if=/dev/zero`, mkswap
        (place / "reserved").write_bytes(b"head" + bytes(2 * MIB))
    (root / "usr/bin/ping").write_bytes(b"#!elf\n" * 1000)
    (root / "usr/bin/sudo").write_bytes(b"#!elf\n")
    (root / "usr/bin/sudo").chmod(0o4111)
    (root / "tmp").chmod(0o1777)
    os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root / "dev/sda", stat.S_IFBLK | 0o660, os.makedev(8, 0))
    os.mkfifo(root / "run/pipe", 0o600)
    _own_and_label(root)
    return root


def _own_and_label(root: Path) -> None:
    paths = [root, *sorted(root.rglob("*"))]
    for number, path in enumerate(paths):
        os.chown(path, number % 7 * 1000, number % 5 * 100, follow_symlinks=False)
        relative = str(path.relative_to(root))
        if relative == "usr/bin/sudo":
            path.chmod(0o4111)  # chown takes the bit away
        label = f"system_u:object_r:type{number % 11}_t:s0\0".encode("ascii")
        os.setxattr(path, "security.selinux", label, follow_symlinks=False)
    os.setxattr(root / "usr/bin/ping", "security.capability", CAPABILITY)
    os.setxattr(root / "etc/shadow", "system.posix_acl_access", ACL)
    os.setxattr(root / "var/empty", "system.posix_acl_default", ACL)
    os.setxattr(root / "var/empty", "trusted.note", bytes(range(256)))
    for number, path in enumerate(sorted(paths, reverse=True)):
        stamp = (EPOCH - number * 3600) * 10**9
        os.utime(path, ns=(stamp, stamp), follow_symlinks=False)


@dataclass(frozen=True)
class Entry:
    """All of a file that must survive; `twins` are the other names of the same inode."""

    mode: str
    owner: tuple[int, int]
    mtime_s: int
    content: str
    attributes: tuple[tuple[str, bytes], ...]
    twins: tuple[str, ...]
    device: int


def describe(root: Path) -> dict[str, Entry]:
    """Return every path below a folder, `.` for itself, with all of its attributes."""
    paths = [root, *_below(root)]
    names: dict[int, list[str]] = {}
    for path in paths:
        status = path.lstat()
        if not path.is_dir() and status.st_nlink > 1:
            names.setdefault(status.st_ino, []).append(str(path.relative_to(root)))
    return {
        str(path.relative_to(root)): _entry(path, tuple(sorted(names.get(path.lstat().st_ino, ()))))
        for path in paths
    }


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        for name in sorted((*folders, *files)):
            path = Path(folder, name)
            if name != "lost+found":
                yield path
        folders[:] = [name for name in folders if name != "lost+found"]


def _entry(path: Path, twins: tuple[str, ...]) -> Entry:
    status = path.lstat()
    content = ""
    if path.is_symlink():
        content = str(path.readlink())
    elif path.is_file():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    attributes = tuple(
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if not name.startswith("trusted.SGI_ACL_")  # how xfs stores the ACL listed already
    )
    return Entry(
        stat.filemode(status.st_mode), (status.st_uid, status.st_gid), int(status.st_mtime),
        content, attributes, twins, status.st_rdev,
    )


@contextmanager
def mounted_read_only(image: Path, part: Partition, folder: Path) -> Iterator[Path]:
    """Mount one partition of a raw image; behind private_mounts() only."""
    folder.mkdir(exist_ok=True)
    kind = {"xfs": "norecovery,nouuid,", "ext4": "noload,", "btrfs": "", "ext2": ""}[part.fstype]
    subprocess.run([
        "mount", "-t", part.fstype, "-o",
        f"ro,{kind}loop,offset={part.start_bytes},sizelimit={part.size_bytes}", image, folder,
    ], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def read_fat(image: Path, part: Partition, folder: Path) -> dict[str, str]:
    """Return path and content's digest of all files of a FAT, read by mtools."""
    folder.mkdir()
    subprocess.run(
        ["mcopy", "-s", "-Q", "-n", "-i", f"{image}@@{part.start_bytes}", "::/", folder],
        check=True, env={**os.environ, "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"},
    )
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }


def expected(tree: Path, mountpoint: str, inner: str | None) -> dict[str, Entry]:
    """Return what a file system must hold: its part of the tree, `inner` an empty folder."""
    found = describe(tree / mountpoint.lstrip("/"))
    if inner is not None:
        hidden = inner.rstrip("/") + "/"
        found = {path: entry for path, entry in found.items() if not path.startswith(hidden)}
    return found


def loop_devices() -> str:
    return subprocess.run(["losetup", "-a"], check=True, capture_output=True, text=True).stdout


