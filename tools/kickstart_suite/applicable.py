"""Which tests say something about an image builder, and why others do not: by what they contain."""

from __future__ import annotations

import re

from tools.kickstart_suite.definition import Definition, without_comments

# What is about the installer's machine, medium or screen, by the command of the kickstart.
_COMMANDS = {
    "OSTree or a bootable container": ("ostreesetup", "ostreecontainer", "bootc"),
    "a finished image as payload": ("liveimg",),
    "packages from a disk or an NFS server": ("harddrive", "nfs", "hmc"),
    "storage on a network": ("iscsi", "iscsiname", "fcoe", "zfcp"),
    "the installer's drivers": ("driverdisk",),
    "the installer's screen": ("vnc", "rdp", "sshpw"),
    "a snapshot before or after an installation": ("snapshot",),
    "packages by FTP": (),
}
# What a test always has, and what only brings its kickstart to the installer.
_OWN_BOOT = re.compile(
    r"\$\{?DEFAULT_(?:BASIC_|DRACUT_)?BOOTOPTS\}?|\becho\b|[\"'\s]|\binst\.ks=\$\{ks_url\}"
    r"|\bip=(?:\$\{KSTEST_NETDEV\d\}:)?dhcp\b")
_REAL_BOOT = re.compile(r"reboot|virsh|start_vm|real_kernel_args")
_LIVE = (
    ("NetworkManager", r"\bnmcli\b|check_device_connected|check_device_ipv[46]|\bip (?:addr|link)\b"
                       r"|check_(?:bond|team|bridge)_has_slave|/sys/class/net"),
    ("block devices", r"\b(?:blkid|findmnt|lsblk|lvs|vgs|pvs|lvm|cryptsetup|mdadm|swapon|dmsetup"
                      r"|tune2fs|xfs_info|btrfs|parted|losetup|df|mount|udevadm)\b"
                      r"|/proc/(?:mounts|swaps|mdstat|partitions)|/dev/(?:mapper|md|disk)|/sys/block"),
    ("the installer", r"\b(?:anaconda|packaging|storage|program|syslog|dbus)[\w-]*\.log"
                      r"|log-capture|busctl|gdbus|journalctl|localectl|anaconda\.pid|/run/anaconda"),
)


def objection(test: Definition, platform: str) -> str:
    """Return why a test says nothing here, by its shell file; empty if it may."""
    system = platform.rstrip("0123456789")
    version = platform.removeprefix(system)
    if "knownfailure" in test.types:
        return "the suite expects it to fail"
    if "manual" in test.types:
        return "the suite has it run by hand"
    if {f"skip-on-{system}", f"skip-on-{system}-{version}"} & set(test.types):
        return f"the suite leaves it out on {platform}"
    if more := _more_boot_options(test):
        return f"boot options of the installer ({more})"
    functions = test.functions
    if "prepare_updates" in functions:
        return "it changes the installer"
    if "validate" in functions and _REAL_BOOT.search(functions["validate"]):
        return "it starts what was installed"
    if "validate" in functions and "RESULT" not in functions["validate"]:
        return "its check is a program outside, of the installer's logs or disks"
    return ""


def objection_to_text(text: str) -> str:
    """Return why a kickstart says nothing here, by its commands; empty if it may."""
    commands = {line.split()[0] for line in _command_lines(text)}
    for reason, names in _COMMANDS.items():
        if found := sorted(commands & set(names)):
            return f"{reason} ({', '.join(found)})"
    if re.search(r"(?m)^(?:url|repo)\b.*=?\bftp://", text):
        return "packages by FTP"
    if re.search(r"(?m)^\s*(?:echo|cat|printf)?.*SUCCESS", text) is None:
        return "its kickstart reports no result"
    return ""


def asked_of_the_machine(text: str) -> list[str]:
    """Return what the scripts ask that only an installer's running machine has."""
    script = without_comments(text)
    return [name for name, pattern in _LIVE if re.search(pattern, script)]


def _more_boot_options(test: Definition) -> str:
    body = without_comments(test.functions.get("kernel_args", ""))
    words = [word for line in body.splitlines() if "echo" in line
             for word in _OWN_BOOT.sub(" ", line).split()]
    return " ".join(words)[:60]


def _command_lines(text: str) -> list[str]:
    """Return the lines that stand in no section."""
    found, inside = [], False
    for line in text.splitlines():
        word = line.strip().partition(" ")[0]
        if word.startswith("%"):
            inside = word not in ("%end", "%include", "%ksappend")
        elif word and not inside and not word.startswith("#"):
            found.append(line.strip())
    return found
