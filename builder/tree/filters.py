"""The seccomp filter under which a kickstart's scripts run: what could reach the host fails.

Scripts run as root with CAP_SYS_ADMIN, because setting SELinux labels on a kernel without SELinux
needs it, and so does umount(8), which kickstarts call. What else that capability would allow is
refused here. libseccomp makes the program, so the numbers of each architecture are its affair.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from host.errors import HostError

# <seccomp.h>
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_ON_OTHER_ARCHITECTURE = 2
_MASKED_EQUAL = 7
_UNKNOWN_CALL = -1

_REFUSED = (
    # mounts and namespaces; umount2 stays allowed
    "mount", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
    "mount_setattr", "pivot_root", "setns", "unshare",
    # ways to files outside: by handle, by the events of a whole file system
    "open_by_handle_at", "fanotify_init", "fanotify_mark",
    # the host's kernel: swap, quotas, modules, programs, clocks, keys, accounts, ports, logs
    "swapon", "swapoff", "quotactl", "quotactl_fd", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load", "reboot", "bpf", "perf_event_open",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "keyctl", "add_key",
    "request_key", "acct", "iopl", "ioperm", "syslog", "lookup_dcookie", "userfaultfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "process_madvise", "kcmp",
    "s390_pci_mmio_read", "s390_pci_mmio_write", "vhangup",
)
# Calls newer than these lists (open_tree_attr of Linux 6.15 is one to fear) have the same number on
# every architecture; to the C library they are calls of a kernel to come.
_TO_COME = range(463, 512)
_NEW_NAMESPACES = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)
# The kernel would make nodes /dev/loop0p1 … on the host for the partitions that parted writes:
# BLKPG and BLKRRPART succeed and do nothing (<linux/blkpg.h>, <linux/fs.h>).
_DONE_ALREADY = (0x1269, 0x125F)
# Controls of whole file systems and of loop devices, by their type byte ('X': freezing, trimming,
# XFS's handles and shutdown; 0x94: btrfs, cloning) or alone (ext4's; LOOP_*; typing into a
# terminal).
_CONTROL_TYPES = (0x5800, 0x9400)
_CONTROLS = (
    0x40086607, 0x40086608, 0x4008660A, 0xC028660F, 0x40086610, 0x6611,
    0x4C00, 0x4C01, 0x4C02, 0x4C04, 0x4C06, 0x4C07, 0x4C08, 0x4C09, 0x4C0A,
    0x5412, 0x541C,
)


class _Comparison(ctypes.Structure):
    _fields_ = (("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64))


@contextmanager
def script_filter() -> Iterator[int]:
    """Yield a descriptor that holds the filter, for bubblewrap's --seccomp.

    Raises HostError when this host has no libseccomp.
    """
    descriptor = os.memfd_create("filter", 0)  # without CLOEXEC: bubblewrap inherits it
    try:
        os.write(descriptor, program())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@cache
def program() -> bytes:
    """Return the filter for this machine, as the kernel's BPF; other architectures' calls fail."""
    library = _library()
    context = library.seccomp_init(_ALLOW)
    if not context:
        raise HostError("a seccomp filter can't be made", why="seccomp_init failed")
    try:
        library.seccomp_attr_set(context, _ON_OTHER_ARCHITECTURE, _ERRNO | errno.ENOSYS)
        for name in _REFUSED:
            _add(library, context, name, errno.EPERM)
        for number in _TO_COME:
            _add_number(library, context, number, errno.ENOSYS)
        # Its flags are in memory, out of a filter's reach; the C library falls back on clone.
        _add(library, context, "clone3", errno.ENOSYS)
        position = 1 if os.uname().machine == "s390x" else 0  # clone(2), "C library/kernel"
        for flag in _NEW_NAMESPACES:
            _add(library, context, "clone", errno.EPERM, position, flag, flag)
        for command in _DONE_ALREADY:
            _add(library, context, "ioctl", 0, 1, 0xFFFFFFFF, command)
        for command in _CONTROLS:
            _add(library, context, "ioctl", errno.EPERM, 1, 0xFFFFFFFF, command)
        for kind in _CONTROL_TYPES:
            _add(library, context, "ioctl", errno.EOPNOTSUPP, 1, 0xFF00, kind)
        descriptor = os.memfd_create("program")
        try:
            if library.seccomp_export_bpf(context, descriptor) != 0:
                raise HostError("a seccomp filter can't be made", why="seccomp_export_bpf failed")
            return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        finally:
            os.close(descriptor)
    finally:
        library.seccomp_release(context)


def _add(
    library: ctypes.CDLL, context: int, name: str, error: int, argument: int | None = None,
    mask: int = 0, value: int = 0,
) -> None:
    """Have a call fail with an error (0: succeed and do nothing), if an argument is so."""
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number == _UNKNOWN_CALL:
        return  # libseccomp does not know it: neither does a kernel of its time
    wanted = () if argument is None else (
        _Comparison(argument, _MASKED_EQUAL, mask, value),)
    _add_number(library, context, number, error, *wanted)


def _add_number(
    library: ctypes.CDLL, context: int, number: int, error: int, *wanted: _Comparison,
) -> None:
    comparisons = (_Comparison * 1)(*wanted)
    status = library.seccomp_rule_add_array(
        context, _ERRNO | error, number, len(wanted), comparisons)
    if status != 0 and number >= 0:  # below 0: this architecture has no such call
        raise HostError("a seccomp filter can't be made",
                        why=f"call {number}: {os.strerror(-status)}")


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise HostError("this host has no libseccomp", why=str(error),
                        remedy="install libseccomp2 (Debian) or libseccomp") from error
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
        ctypes.POINTER(_Comparison))
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    return library
