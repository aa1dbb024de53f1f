"""The seccomp filters under which what others wrote runs: what could reach the host fails.

Scripts and scriptlets run as root with CAP_SYS_ADMIN, because setting SELinux labels on a kernel
without SELinux needs it, and so does umount(8), which kickstarts call. What else that capability
would allow is refused here. libseccomp makes the programs, through its own binding for Python, so
the numbers of each architecture are its affair.

One thing the binding can't do: load a filter whose calls come to us more than once in a process.
libseccomp keeps one such descriptor for the whole process (its load() gives a second filter none,
so that its calls fail with ENOSYS), and the binding can't reset that. We need one for each sandbox,
side by side, so listen() makes that one system call by itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import seccomp

from builder.sandbox import ioctls
from host.errors import HostError

Kind = Literal["scripts", "packages", "ask"]
"""What a filter is for. packages: as for scripts, and nothing is flushed or unmounted. ask: only
has the kernel ask us what uname(2), sysinfo(2) and a console are to say
(builder/sandbox/machine.py)."""

_ALL = 0xFFFFFFFF
_UNKNOWN_CALL = -1  # what libseccomp says of a name that it does not know
# <linux/seccomp.h>, <linux/prctl.h>
_SET_FILTER, _NEW_LISTENER, _NO_NEW_PRIVILEGES = 1, 1 << 3, 38
_INSTRUCTION_BYTES = 8  # struct sock_filter

_REFUSED = (
    # mounts and namespaces; umount2 stays allowed
    "mount", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
    "mount_setattr", "pivot_root", "setns", "unshare",
    # ways to files outside: by handle, by the events of a whole file system
    "open_by_handle_at", "fanotify_init", "fanotify_mark",
    # into other processes: bubblewrap's own first one has no filter
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "process_madvise", "kcmp",
    # the host's kernel: swap, quotas, modules, programs, clocks, keys, accounts, ports, logs
    "swapon", "swapoff", "quotactl", "quotactl_fd", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load", "reboot", "bpf", "perf_event_open",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "keyctl", "add_key",
    "request_key", "acct", "iopl", "ioperm", "syslog", "lookup_dcookie", "userfaultfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    "s390_pci_mmio_read", "s390_pci_mmio_write", "vhangup",
)
# A package transaction flushes thousands of times for a tree that is thrown away if the build
# fails; what is kept is flushed once, when it is published. systemd-nspawn's --suppress-sync does
# the same, but only for containers that it starts.
_FLUSHING = ("sync", "fsync", "fdatasync", "msync", "syncfs", "sync_file_range",
             "sync_file_range2")
# Calls newer than these lists (open_tree_attr of Linux 6.15 is one to fear) have the same number on
# every architecture; to the C library they are calls of a kernel to come.
_TO_COME = range(463, 512)
_NEW_NAMESPACES = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)
# Nodes that a tree may have: null, zero, full, random, urandom and kmsg, which dracut makes; tty,
# console, ptmx; tty0 to tty63 (Documentation/admin-guide/devices.txt). Others are the host's
# devices. None of them can be opened inside, where all of the tree is mounted nodev.
_NODES = (*(1 << 8 | minor for minor in (3, 5, 7, 8, 9, 11)),
          *(5 << 8 | minor for minor in (0, 1, 2)), *(4 << 8 | minor for minor in range(64)))
# Sockets that no network namespace keeps in: VSOCK leads to the hypervisor, ALG into the kernel's
# ciphers; of netlink, the host's audit records and its devices' events (<linux/socket.h>,
# <linux/netlink.h>). systemd-nspawn refuses audit with the same error.
_OTHER_FAMILIES, _NETLINK, _NETLINK_OF_THE_HOST = (40, 38), 16, (9, 15)
_SET_LEASE = 1024  # fcntl(2): it delays whoever opens the file, also on the host
_TYPE_BITS, _CHARACTER, _BLOCK = 0xF000, 0x2000, 0x6000  # <sys/stat.h>

Comparison = tuple[int, int, int]
"""An argument's position, a mask, and what the masked argument must be."""


Rule = tuple[str | int, int, tuple[Comparison, ...]]
"""A call by name or number, what it comes to, and the comparisons that must all be true."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


@contextmanager
def filter_file(kind: Kind) -> Iterator[int]:
    """Yield a descriptor that holds a filter, for bubblewrap's --seccomp."""
    descriptor = os.memfd_create("filter", 0)  # without CLOEXEC: bubblewrap inherits it
    try:
        os.write(descriptor, program(kind))
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@cache
def program(kind: Kind) -> bytes:
    """Return a filter for this machine, as the kernel's BPF; other architectures' calls fail.

    Raises HostError when libseccomp can't make it.
    """
    try:
        made = seccomp.SyscallFilter(seccomp.ALLOW)
        made.set_attr(seccomp.Attr.ACT_BADARCH,
                      seccomp.ALLOW if kind == "ask" else seccomp.ERRNO(errno.ENOSYS))
        for call, action, wanted in _asked() if kind == "ask" else _rules(kind):
            number = call if isinstance(call, int) else call_number(call)
            if number != _UNKNOWN_CALL:  # libseccomp and a kernel of its time don't know it
                made.add_rule(action, number, *(
                    seccomp.Arg(argument, seccomp.MASKED_EQ, mask, value)
                    for argument, mask, value in wanted))
        with os.fdopen(os.memfd_create("program"), "rb") as file:
            made.export_bpf(file)
            return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
    except (RuntimeError, ValueError) as error:
        raise HostError("a seccomp filter can't be made", why=f"{kind}: {error}") from error


def listen() -> int:
    """Put this thread below the filter that asks; return the descriptor that its calls come to.

    What program() and call_number() return must be known before: this thread's own calls wait for
    an answer from here on. Raises HostError when this kernel can't do it.
    """
    code = ctypes.create_string_buffer(program("ask"))
    what = _Program((len(code) - 1) // _INSTRUCTION_BYTES, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener = libc.syscall(call_number("seccomp"), _SET_FILTER, _NEW_LISTENER, ctypes.byref(what))
    if listener < 0:
        raise HostError(
            "this kernel can't let us say what uname(2) tells a sandbox",
            why=os.strerror(ctypes.get_errno()),
            remedy="use Linux 5.0 or later; a container manager that intercepts system calls "
                   "itself (LXD's security.syscalls.intercept) must not do so")
    os.set_inheritable(listener, False)
    return int(listener)


def _asked() -> Iterator[Rule]:
    for name in ("uname", "sysinfo", "sethostname", "setdomainname"):
        yield name, seccomp.NOTIFY, ()
    for command in ioctls.ANSWERED:
        yield "ioctl", seccomp.NOTIFY, ((1, _ALL, command),)


def _rules(kind: Kind) -> Iterator[Rule]:
    """Yield calls by name or number, what they come to, and with which arguments they do."""
    refused = seccomp.ERRNO(errno.EPERM)
    for name in _REFUSED:
        yield name, refused, ()
    for number in _TO_COME:
        yield number, seccomp.ERRNO(errno.ENOSYS), ()
    # Its flags are in memory, out of a filter's reach; the C library falls back on clone.
    yield "clone3", seccomp.ERRNO(errno.ENOSYS), ()
    position = 1 if os.uname().machine == "s390x" else 0  # clone(2), "C library/kernel"
    for flag in _NEW_NAMESPACES:
        yield "clone", refused, ((position, flag, flag),)
    for command in ioctls.DONE_ALREADY:
        yield "ioctl", seccomp.ERRNO(0), ((1, _ALL, command),)
    for mask, value in ioctls.refused():
        yield "ioctl", seccomp.ERRNO(errno.ENOTTY), ((1, mask, value),)
    for name, mode in (("mknod", 1), ("mknodat", 2)):
        yield name, refused, ((mode, _TYPE_BITS, _BLOCK),)
        for mask, value in ioctls.complement(_NODES, 32):
            yield name, refused, ((mode, _TYPE_BITS, _CHARACTER), (mode + 1, mask, value))
    unknown = seccomp.ERRNO(errno.EAFNOSUPPORT)
    for family in _OTHER_FAMILIES:
        yield "socket", unknown, ((0, _ALL, family),)
    for protocol in _NETLINK_OF_THE_HOST:
        yield "socket", unknown, ((0, _ALL, _NETLINK), (2, _ALL, protocol))
    yield "fcntl", refused, ((1, _ALL, _SET_LEASE),)
    if kind == "packages":
        for name in _FLUSHING:
            yield name, seccomp.ERRNO(0), ()
        for name in ("umount", "umount2"):
            yield name, refused, ()


@cache
def call_number(name: str) -> int:
    """Return the number that a system call has on this machine; below 0: it has no such call."""
    return int(seccomp.resolve_syscall(seccomp.Arch.NATIVE, name))
