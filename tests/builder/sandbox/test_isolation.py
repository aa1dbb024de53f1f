"""A script that tries to reach the host fails to: each test really tries, as root, in a sandbox."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from builder.disk.loop import loop_device
from builder.sandbox.filters import Kind, program
from builder.sandbox.sandbox import Sandbox
from builder.scripting import installer

Attempt = Callable[[str], subprocess.CompletedProcess[str]]
MIB = 1 << 20

# Syscalls that the C library does not wrap, by their numbers on x86_64.
PRELUDE = """
import ctypes, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    status = libc.syscall(*words)
    return os.strerror(ctypes.get_errno()) if status < 0 else f"status {status}"
def tried(name, answer):
    print(f"{name}: {answer}")
"""


@pytest.fixture(params=["tree", "installer"])
def attempt(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Attempt]:
    """Run a Python program where %post runs, and where %pre runs."""
    root = tmp_path / "root"
    root.mkdir()
    installer.prepare(root)
    disk = tmp_path / "disk"
    installer.make_disk(disk, 8 * MIB)
    with loop_device(disk, 0, 8 * MIB) as device:
        sandbox = installer.environment(root, device, 8 * MIB, "")
        if request.param == "tree":
            sandbox = Sandbox(root, 1, binds={"/usr": Path("/usr")},
                              devices={"/dev/vda": device, "/dev/sda": device})

        def run(text: str) -> subprocess.CompletedProcess[str]:
            done = sandbox.run(["/usr/bin/python3", "-c", PRELUDE + text], check=False,
                               timeout_s=30)
            return subprocess.CompletedProcess([], done.status, done.stdout, done.stderr)

        yield run


def test_nothing_can_be_mounted_and_no_namespace_entered(attempt: Attempt) -> None:
    done = attempt("""
for fstype in (b"devtmpfs", b"proc", b"sysfs", b"cgroup2", b"tmpfs", b"overlay"):
    tried("mount " + fstype.decode(), libc.mount(b"none", b"/mnt", fstype, 0, b""))
tried("remount proc", libc.mount(b"none", b"/proc", None, 32, b""))
tried("remount bind", libc.mount(b"none", b"/proc", None, 32 | 4096, b""))
for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000):
    tried("unshare", libc.unshare(flag))
    tried("clone", libc.syscall(56, flag | 17, 0, 0, 0, 0))
tried("setns", libc.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY), 0))
for name, number in {"fsopen": 430, "fsmount": 432, "move_mount": 429, "open_tree": 428,
                     "mount_setattr": 442, "pivot_root": 155, "open_tree_attr": 467}.items():
    tried(name, libc.syscall(number, 0, b"/", 0, 0, 0))
tried("clone3", libc.syscall(435, 0, 0))
""")
    lines = done.stdout.splitlines()
    assert len(lines) == 6 + 2 + 14 + 1 + 7 + 1, done.stderr
    assert [line for line in lines if not line.endswith(": -1")] == []


def test_the_hosts_kernel_can_not_be_changed(attempt: Attempt) -> None:
    done = attempt("""
for name, number in {"init_module": 175, "finit_module": 313, "delete_module": 176, "bpf": 321,
                     "kexec_load": 246, "swapon": 167, "swapoff": 168, "acct": 163, "keyctl": 250,
                     "perf_event_open": 298, "quotactl": 179, "syslog": 103, "reboot": 169,
                     "settimeofday": 164, "clock_settime": 227, "iopl": 172, "add_key": 248,
                     "fanotify_init": 300, "io_uring_setup": 425}.items():
    tried(name, call(number, 0, 0, 0, 0, 0))
""")
    lines = done.stdout.splitlines()
    assert len(lines) == 19, done.stderr
    assert [line for line in lines if not line.endswith(": Operation not permitted")] == []


def test_proc_and_sys_can_not_be_written_even_when_covers_are_unmounted(attempt: Attempt) -> None:
    done = attempt("""
for folder in (b"/proc/sys", b"/proc/sysrq-trigger", b"/proc/irq", b"/proc/bus", b"/sys"):
    libc.umount2(folder, 2)
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
             "/sys/kernel/uevent_helper", "/proc/sys/vm/drop_caches", "/sys/power/state"):
    try:
        os.close(os.open(path, os.O_WRONLY))
        tried(path, "written")
    except OSError as error:
        tried(path, "refused")
tried("disks in sight", [d for d in os.listdir("/sys/block") if d != "vda"]
      if os.path.isdir("/sys/block") else [])
""")
    assert done.stdout.count("refused") == 6, done.stdout + done.stderr
    assert "disks in sight: []" in done.stdout


def test_a_device_node_of_a_host_disk_opens_nothing(attempt: Attempt) -> None:
    numbers = [path.stat().st_rdev for path in Path("/dev").glob("[vs]da*")] or [os.makedev(8, 0)]
    done = attempt(f"""
import stat
for place in ("/tmp", "/dev", "/run", "/var", "/dev/shm"):
    for number in {numbers}:
        path = f"{{place}}/node-{{number}}"
        try:
            os.mknod(path, stat.S_IFBLK | 0o600, number)
            os.open(path, os.O_RDONLY)
            tried(path, "opened")
        except OSError as error:
            tried(path, "refused")
""")
    assert "opened" not in done.stdout
    assert done.stdout.count("refused") == 5 * len(numbers), done.stderr


def test_the_hosts_processes_are_not_there(attempt: Attempt) -> None:
    victim = subprocess.Popen(["sleep", "60"])
    try:
        done = attempt(f"""
import signal
for pid in ({victim.pid}, {os.getpid()}):
    try:
        os.kill(pid, signal.SIGKILL)
        tried(pid, "killed")
    except ProcessLookupError:
        tried(pid, "not there")
tried("ptrace", libc.ptrace(16, {victim.pid}, 0, 0))
tried("pidfd", call(434, {victim.pid}, 0))
tried("processes", len([p for p in os.listdir("/proc") if p.isdigit()]) < 5)
os.kill(-1, 9)
""")
        assert done.stdout.count("not there") == 2, done.stdout + done.stderr
        assert "ptrace: -1" in done.stdout and "pidfd: No such process" in done.stdout
        assert "processes: True" in done.stdout
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_files_outside_are_not_there(attempt: Attempt, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host")
    handle = _handle(secret)
    done = attempt(f"""
for path in ("{secret}", "/etc/shadow", "/root/.ssh", "/work", "/var/cache/ccis",
             "/proc/1/root{secret}", "/../../../..{secret}"):
    tried(path, os.path.exists(path))
handle = {handle!r}
buffer = ctypes.create_string_buffer(handle, len(handle))
for folder in ("/", "/tmp", "/usr"):
    tried("by handle", call(304, os.open(folder, os.O_RDONLY), buffer, 0))
try:
    open("/usr/written", "w")
    tried("/usr", "written")
except OSError:
    tried("/usr", "refused")
""")
    assert "True" not in done.stdout, done.stdout
    assert done.stdout.count("by handle: Operation not permitted") == 3, done.stdout + done.stderr
    assert "/usr: refused" in done.stdout


def test_the_hosts_sockets_are_not_there(attempt: Attempt, tmp_path: Path) -> None:
    name = f"ccis-test-{tmp_path}"
    reached: list[str] = []
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as abstract:
        tcp.bind(("127.0.0.1", 0))
        abstract.bind(f"\0{name}")
        for listener in (tcp, abstract):
            listener.listen()
            threading.Thread(target=_accept, args=(listener, reached), daemon=True).start()
        done = attempt(f"""
for family, address in ((socket.AF_INET, ("127.0.0.1", {tcp.getsockname()[1]})),
                        (socket.AF_UNIX, "\\0{name}")):
    try:
        socket.socket(family).connect(address)
        tried(address, "connected")
    except OSError:
        tried("socket", "refused")
""")
        time.sleep(0.1)
    assert done.stdout.count("refused") == 2, done.stdout + done.stderr
    assert reached == []


def test_the_disk_is_only_a_disk(attempt: Attempt, tmp_path: Path) -> None:
    done = attempt("""
import fcntl
disk = os.open("/dev/vda", os.O_RDWR)
for name, command in {"LOOP_CLR_FD": 0x4C01, "LOOP_CHANGE_FD": 0x4C06, "LOOP_SET_STATUS64": 0x4C04,
                      "LOOP_CONFIGURE": 0x4C0A, "FIFREEZE": 0xC0045877, "GOINGDOWN": 0x8004587D,
                      "TIOCSTI": 0x5412}.items():
    try:
        fcntl.ioctl(disk, command, 0)
        tried(name, "done")
    except OSError as error:
        tried(name, "refused")
tried("BLKRRPART", fcntl.ioctl(disk, 0x125F))
os.write(disk, b"x" * 512)
os.fsync(disk)
""")
    assert done.stdout.count("refused") == 7, done.stdout + done.stderr
    assert "BLKRRPART: 0" in done.stdout
    assert not list(Path("/dev").glob("loop*p1"))


def test_umount_works_because_kickstarts_call_it(attempt: Attempt) -> None:
    done = attempt('tried("umount", libc.umount2(b"/dev/shm", 0) in (0, -1))\n'
                   'tried("sys", libc.umount2(b"/sys", 2))\n')
    assert "sys: 0" in done.stdout, done.stdout + done.stderr


def test_the_filter_is_made_once_and_is_whole_instructions() -> None:
    for kind in get_args(Kind):
        assert program(kind) is program(kind)
        assert len(program(kind)) % 8 == 0


def _accept(listener: socket.socket, reached: list[str]) -> None:
    with contextlib.suppress(OSError):
        reached.append(str(listener.accept()[1]))


def _handle(path: Path) -> bytes:
    """Return a file's handle as name_to_handle_at(2) gives it."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer((128).to_bytes(4, "little") + bytes(132), 136)
    mount = ctypes.c_int()
    assert libc.name_to_handle_at(-100, os.fsencode(path), buffer, ctypes.byref(mount), 0) == 0
    return buffer.raw
