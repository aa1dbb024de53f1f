"""What /proc says inside a sandbox: of the machine that an installation would see, not the host's.

Three ways: files with a text of their own, files and folders that are empty, and /proc/sys, which
is a small tree of its own. What is left of the host's: a process's own folders (of this process
namespace), the number of processors, and the table of mounts, which the kernel keeps for each
process.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from builder.sandbox.machine import HOST_NAME, MEMORY_BYTES, UPTIME_S, VERSION

COMMAND_LINE = "inst.ks=file:/run/install/ks.cfg inst.text"
"""As when the installer was started with a kickstart."""

_MEMORY_KIB = MEMORY_BYTES // 1024
_MEMORY = "".join(f"{name + ':':<16}{kib:>8} kB\n" for name, kib in (
    ("MemTotal", _MEMORY_KIB), ("MemFree", _MEMORY_KIB * 3 // 4),
    ("MemAvailable", _MEMORY_KIB * 3 // 4), ("Buffers", 0), ("Cached", _MEMORY_KIB // 8),
    ("SwapCached", 0), ("SwapTotal", 0), ("SwapFree", 0), ("Shmem", 0), ("Hugepagesize", 2048)))
# Of a processor, what every one of EL 10's has (x86-64-v3).
_PROCESSOR = (
    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 60\n"
    "model name\t: x86-64-v3\ncpu MHz\t\t: 2000.000\ncpu cores\t: 1\nflags\t\t: fpu vme de pse tsc "
    "msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx "
    "lm pni pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt aes xsave avx f16c "
    "rdrand hypervisor lahf_lm abm fsgsbase bmi1 avx2 bmi2\n\n"
) if os.uname().machine == "x86_64" else "processor\t: 0\n\n"

_TEXTS = {
    "cmdline": f"{COMMAND_LINE}\n",
    "cpuinfo": _PROCESSOR,
    "devices": "Character devices:\n  1 mem\n  5 /dev/tty\n\nBlock devices:\n252 virtblk\n",
    "filesystems": "".join(f"nodev\t{name}\n" for name in (
        "sysfs", "tmpfs", "bdev", "proc", "cgroup2", "devtmpfs", "securityfs", "sockfs", "pipefs",
        "devpts", "selinuxfs", "mqueue", "overlay",
    )) + "".join(f"\t{name}\n" for name in ("ext3", "ext2", "ext4", "xfs", "vfat", "iso9660",
                                             "squashfs")),
    "loadavg": "0.00 0.00 0.00 1/100 100\n",
    "mdstat": "Personalities : \nunused devices: <none>\n",
    "meminfo": _MEMORY,
    "partitions": "major minor  #blocks  name\n\n",
    "stat": "".join(f"{name} 0 0 0 0 0 0 0 0 0 0\n" for name in (
        "cpu ", *(f"cpu{number}" for number in range(len(os.sched_getaffinity(0)))),
    )) + "intr 0\nctxt 0\nbtime 0\nprocesses 100\nprocs_running 1\nprocs_blocked 0\n",
    "swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    "uptime": f"{UPTIME_S}.00 {UPTIME_S}.00\n",
}
# The host's keys, memory, symbols, devices and drivers; who has none of a name has nothing there.
_EMPTY = (
    "buddyinfo", "cgroups", "config.gz", "consoles", "crypto", "diskstats", "interrupts", "iomem",
    "ioports", "kallsyms",
    "kcore", "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "misc",
    "modules", "pagetypeinfo", "sched_debug", "slabinfo", "softirqs", "sysrq-trigger",
    "timer_list", "vmallocinfo", "vmstat", "zoneinfo",
)
_EMPTY_FOLDERS = ("acpi", "asound", "bus", "driver", "dynamic_debug", "fs", "irq", "pressure",
                  "scsi", "tty")

RANDOM = "sys/kernel/random/uuid"
"""The one file that must be the kernel's own: it says something else each time."""

# What libraries look for (sysctl(5)); /proc/sys can't be written anyhow.
_SETTINGS = {
    "crypto/fips_enabled": "0", "fs/file-max": "9223372036854775807", "fs/nr_open": "1048576",
    "kernel/cap_last_cap": "40", "kernel/core_pattern": "core", "kernel/domainname": "(none)",
    "kernel/hostname": HOST_NAME, "kernel/ngroups_max": "65536", "kernel/osrelease": "",
    "kernel/ostype": "Linux", "kernel/overflowgid": "65534", "kernel/overflowuid": "65534",
    "kernel/pid_max": "4194304", "kernel/random/boot_id": "c0c05150-0000-4000-8000-000000000001",
    "kernel/random/entropy_avail": "256", "kernel/threads-max": "30000",
    "kernel/version": VERSION, "net/core/somaxconn": "4096", "net/ipv4/ip_forward": "0",
    "net/ipv6/conf/all/disable_ipv6": "0", "vm/overcommit_memory": "0",
}


def settings(release: str) -> dict[str, str]:
    """Return the texts below /proc/sys by their paths in it. release: of the running kernel."""
    return {name: f"{text or release}\n" for name, text in _SETTINGS.items()}


def texts(release: str) -> dict[str, str]:
    """Return the texts of files by their paths below /proc, as far as this kernel has them."""
    own = {**_TEXTS, "version": f"Linux version {release} (mockbuild@localhost) {VERSION}\n",
           **dict.fromkeys(_EMPTY, "")}
    return {name: text for name, text in own.items() if name in _there()}


def empty_folders() -> list[str]:
    """Return the folders below /proc that are to be empty, as far as this kernel has them."""
    return [name for name in _EMPTY_FOLDERS if name in _there()]


@cache
def _there() -> frozenset[str]:
    return frozenset(entry.name for entry in Path("/proc").iterdir() if not entry.name.isdigit())
