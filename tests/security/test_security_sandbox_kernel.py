"""What reaches the host's kernel from a sandbox: file systems, devices, and what uname(2) says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.disk.loop import loop_device
from builder.sandbox.ioctls import complement
from builder.sandbox.sandbox import Sandbox
from host.mounts import mounted, private_mounts
from tests.security.sandboxed import small_tree

MIB = 1 << 20

# <linux/fs.h>, <linux/fscrypt.h>, fs/ext4/ext4.h, fs/xfs/libxfs/xfs_fs.h, <linux/btrfs.h>
HARMFUL = {
    "FIFREEZE": 0xC0045877, "FITHAW": 0xC0045878, "FITRIM": 0xC0185879,
    "FS_IOC_GETFSLABEL": 0x81009431, "FS_IOC_SETFSLABEL": 0x41009432,
    "FS_IOC_GETFSUUID": 0x80111500, "FS_IOC_GETFSSYSFSPATH": 0x80811501,
    "EXT4_IOC_GETFSUUID": 0x8008662C, "EXT4_IOC_SETFSUUID": 0x4008662C,
    "EXT4_IOC_GROUP_EXTEND": 0x40086607, "EXT4_IOC_GROUP_ADD": 0x40286608,
    "EXT4_IOC_MIGRATE": 0x6609, "EXT4_IOC_RESIZE_FS": 0x40086610, "EXT4_IOC_SWAP_BOOT": 0x6611,
    "EXT4_IOC_MOVE_EXT": 0xC028660F, "EXT4_IOC_CHECKPOINT": 0x4004662B,
    "EXT4_IOC_SETVERSION": 0x40046604, "EXT4_IOC_SHUTDOWN": 0x8004587D,
    "EXT4_IOC_GET_TUNE_SB_PARAM": 0x80E8662D, "EXT4_IOC_SET_TUNE_SB_PARAM": 0x40E8662E,
    "FS_IOC_SET_ENCRYPTION_POLICY": 0x800C6613, "FS_IOC_ADD_ENCRYPTION_KEY": 0xC0506617,
    "FS_IOC_REMOVE_ENCRYPTION_KEY": 0xC0406618, "FS_IOC_ENABLE_VERITY": 0x40806685,
    "XFS_IOC_FSGROWFSDATA": 0x4010586E, "XFS_IOC_GOINGDOWN": 0x8004587D,
    "XFS_IOC_FD_TO_HANDLE": 0xC038586A, "XFS_IOC_OPEN_BY_HANDLE": 0xC038586B,
    "XFS_IOC_SWAPEXT": 0xC0C0586D, "XFS_IOC_ERROR_INJECTION": 0x40085874,
    "BTRFS_IOC_SNAP_CREATE": 0x50009401, "BTRFS_IOC_RESIZE": 0x50009403,
    "BTRFS_IOC_SUBVOL_CREATE": 0x5000940E, "BTRFS_IOC_SNAP_DESTROY": 0x5000940F,
    "BTRFS_IOC_DEFAULT_SUBVOL": 0x40089413, "BTRFS_IOC_TREE_SEARCH": 0xD0009411,
    "BTRFS_IOC_ADD_DEV": 0x5000940A, "BTRFS_IOC_BALANCE": 0x5000940C,
    "RNDADDENTROPY": 0x40085203, "RNDADDTOENTCNT": 0x40045201, "RNDCLEARPOOL": 0x5206,
    "LOOP_SET_FD": 0x4C00, "LOOP_CLR_FD": 0x4C01, "LOOP_GET_STATUS64": 0x4C05,
    "LOOP_CONFIGURE": 0x4C0A, "BLKROSET": 0x125D, "BLKTRACESETUP": 0xC0481273,
    "SG_IO": 0x2285, "TIOCSTI": 0x5412, "TIOCLINUX": 0x541C, "TIOCSETD": 0x5423,
    "TIOCCONS": 0x541D, "FIBMAP": 1, "NS_GET_PARENT": 0xB702, "KVM_CREATE_VM": 0xAE01,
}
CALL = """
import array, ctypes, errno, fcntl, os, sys
libc = ctypes.CDLL(None, use_errno=True)
commands = COMMANDS
for place in PLACES:
    descriptor = os.open(place, os.O_RDWR if not os.path.isdir(place) else os.O_RDONLY)
    for name, command in commands.items():
        buffer = ctypes.create_string_buffer(b"\\1" * 8192, 8192)
        for spoilt in (command, command | 0xFFFFFFFF00000000):
            if libc.syscall(16, descriptor, ctypes.c_ulong(spoilt), buffer) >= 0 \\
                    or ctypes.get_errno() != errno.ENOTTY:
                print(place, name, hex(spoilt), os.strerror(ctypes.get_errno()))
"""


@dataclass(frozen=True)
class OnVolume:
    """A tree on a file system of its own, in a file that nobody else uses."""

    sandbox: Sandbox
    image: Path
    device: Path
    fstype: str


@pytest.fixture(params=["ext4", "xfs", "btrfs"])
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OnVolume]:
    private_mounts()
    image, point = tmp_path / "volume", tmp_path / "point"
    point.mkdir()
    with image.open("wb") as stream:
        stream.truncate(400 * MIB)
    subprocess.run([f"mkfs.{request.param}", "-q", "-L", "victim", image], check=True)
    with loop_device(image, 0, 400 * MIB) as device, mounted(device, point, request.param):
        (point / "tree").mkdir()
        yield OnVolume(small_tree(point / "tree"), image, device, request.param)


def seen(volume: OnVolume) -> str:
    subprocess.run(["sync", "-f", volume.sandbox.root], check=True)
    words = ["blkid", "-p", "-o", "export", volume.image]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_no_control_of_a_whole_file_system_reaches_it(volume: OnVolume) -> None:
    before = seen(volume)
    (volume.sandbox.root / "root/file").write_bytes(b"x" * 8192)
    program = CALL.replace("COMMANDS", repr(HARMFUL)).replace(
        "PLACES", "('/', '/root', '/root/file', '/tmp')")
    done = volume.sandbox.run(["/usr/bin/python3", "-c", program], timeout_s=60)
    assert done.stdout == ""
    assert seen(volume) == before
    (volume.sandbox.root / "root/thawed").write_text("x")


def test_controls_of_one_file_work(volume: OnVolume) -> None:
    done = volume.sandbox.run(["/bin/sh", "-ec", (
        "echo x > /root/a; lsattr /root/a; chattr +i /root/a; ! rm -f /root/a; chattr -i /root/a;"
        "cp --reflink=auto /root/a /root/b; filefrag /root/b; [ -t 0 ] || echo 'no terminal'")])
    assert "no terminal" in done.stdout
    assert (volume.sandbox.root / "root/b").read_text() == "x\n"


def test_no_control_is_allowed_that_is_not_listed(tmp_path: Path) -> None:
    """Every type and number, in the shape that the kernel gives them, on what a script can open."""
    commands = {hex(command): command for command in range(0, 1 << 16)
                if command >> 8 in (0x66, 0x58, 0x94, 0x12, 0x4C, 0x15, 0x52, 0xFD)}
    program = ("import fcntl, os\n"
               "f = os.open('/dev/urandom', os.O_RDONLY)\n"
               "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
               f"for c in {sorted(commands.values())!r}:\n"
               "    ctypes.set_errno(0)\n"
               "    if libc.ioctl(f, ctypes.c_ulong(c), 0) == 0: print(hex(c))\n")
    done = small_tree(tmp_path).run(["/usr/bin/python3", "-c", program])
    assert done.stdout.split() == ["0x125f", "0x1269"]


@pytest.mark.parametrize(("wanted", "bits"), [
    ([], 8), (range(256), 8), ([0], 8), ([255, 3, 4], 8), ([1 << 8 | 3, 5 << 8], 16),
])
def test_the_complement_is_all_but_what_is_wanted(wanted: list[int], bits: int) -> None:
    pairs = list(complement(wanted, bits))
    matched = {n for n in range(1 << bits) if any(n & mask == value for mask, value in pairs)}
    assert matched == set(range(1 << bits)) - set(wanted)


def test_only_nodes_that_a_tree_may_have_can_be_made(tmp_path: Path) -> None:
    sandbox = small_tree(tmp_path)
    sandbox.run(["/bin/sh", "-ec", (
        "cd /root; mknod null c 1 3; mknod console c 5 1; mknod kmsg c 1 11; mknod tty0 c 4 0;"
        "mkfifo fifo; mknod fifo2 p")])
    program = f"""
import os, stat
for kind in (stat.S_IFBLK, stat.S_IFCHR):
    for major, minor in {[(1, 1), (1, 2), (1, 4), (4, 64), (5, 3), (7, 0), (8, 0), (10, 237),
                          (202, 0), (252, 0), (254, 0), (259, 0), (0, 0), (257, 3), (1, 259)]!r}:
        for folder in (None, os.open("/root", os.O_RDONLY)):
            try:
                os.mknod("/root/x" if folder is None else "x", kind | 0o666,
                         os.makedev(major, minor), dir_fd=folder)
                print(oct(kind), major, minor)
            except PermissionError:
                pass
try:
    os.mknod("/root/x", stat.S_IFBLK | 0o666, os.makedev(1, 3))
    print("a block device")
except PermissionError:
    pass
"""
    assert sandbox.run(["/usr/bin/python3", "-c", program]).stdout == ""


def test_a_node_in_the_tree_can_not_be_opened(tmp_path: Path) -> None:
    """One that a package brought, or that was there before."""
    sandbox = small_tree(tmp_path)
    disks = [path.stat().st_rdev for path in Path("/dev").iterdir() if path.is_block_device()]
    for number, device in enumerate(disks[:5]):
        os.mknod(tmp_path / f"root/node{number}", 0o60666, device)
    os.mknod(tmp_path / "root/zero", 0o20666, os.makedev(1, 5))
    said = sandbox.run(["/bin/sh", "-c", (
        "for n in /root/node* /root/zero; do head -c 1 $n > /dev/null && echo read $n;"
        " echo x > $n && echo wrote $n; done; umount /; mount -o remount,dev / && echo remounted;"
        "head -c 1 /root/zero >/dev/null && echo read")], check=False)
    assert said.stdout == ""


SOCKETS = """
import errno, fcntl, socket
for family, kind, protocol in ((40, 1, 0), (38, 5, 0), (16, 3, 9), (16, 3, 15)):
    try:
        socket.socket(family, kind, protocol)
        print("opened", family, protocol)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            print(family, protocol, error)
try:
    fcntl.fcntl(open("/usr/bin/env"), fcntl.F_SETLEASE, fcntl.F_RDLCK)
    print("leased")
except PermissionError:
    pass
for name in ("vmstat", "zoneinfo", "softirqs", "misc"):
    with open(f"/proc/{name}") as stream:
        if stream.read():
            print(name)
socket.socket(16, 3, 0).close()  # routes, of a namespace of its own
socket.socket(1, 1, 0).close()
print("done")
"""


def test_no_socket_leads_to_the_host_and_no_lease_holds_it_up(tmp_path: Path) -> None:
    sandbox = small_tree(tmp_path)
    assert sandbox.run(["/usr/bin/python3", "-c", SOCKETS]).stdout == "done\n"
