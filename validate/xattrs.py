"""Extended attributes of an image's files, SELinux's labels apart: capabilities and what is odd."""

from __future__ import annotations

from dataclasses import dataclass

from host.errors import InputError

COMMAND = (
    r"getfattr -R -P -h -d -m '^(user|trusted|security\.[^s])' -e hex . 2>/dev/null; true"
)
"""Prints all attributes but security.selinux; names are escaped in octal (getfattr(1))."""

CAPABILITY = "security.capability"
_NAMES = [
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
    "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
    "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
    "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
    "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
    "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
]
"""linux/capability.h, by number."""


@dataclass(frozen=True)
class Capabilities:
    """What security.capability says: names without cap_, and whether they are effective."""

    permitted: frozenset[str]
    inheritable: frozenset[str]
    effective: bool


def parse(text: str) -> dict[str, dict[str, bytes]]:
    """Return the attributes of each path that getfattr(1) printed.

    Raises InputError for a value that is none.
    """
    found: dict[str, dict[str, bytes]] = {}
    path = ""
    for line in text.split("\n"):
        if line.startswith("# file: "):
            name = line[8:].encode("latin-1", "replace").decode("unicode_escape", "replace")
            path = "/" + name.removeprefix("./")
            path = "/" if path == "/." else path
        elif line and path:
            key, _, value = line.partition("=")
            try:
                found.setdefault(path, {})[key] = bytes.fromhex(value.removeprefix("0x"))
            except ValueError as error:
                raise InputError("an extended attribute can't be read", why=line[:200]) from error
    return found


def capabilities(value: bytes) -> Capabilities:
    """Return what a file's capabilities are (capabilities(7), struct vfs_cap_data).

    Raises InputError for what is no such value.
    """
    if len(value) < 12:
        raise InputError("a file's capabilities can't be read", why=value.hex())
    magic = int.from_bytes(value[:4], "little")
    wide = magic >> 24 in (2, 3) and len(value) >= 20
    permitted = int.from_bytes(value[4:8], "little")
    inheritable = int.from_bytes(value[8:12], "little")
    if wide:
        permitted |= int.from_bytes(value[12:16], "little") << 32
        inheritable |= int.from_bytes(value[16:20], "little") << 32
    return Capabilities(_named(permitted), _named(inheritable), bool(magic & 1))


def _named(bits: int) -> frozenset[str]:
    return frozenset(
        _NAMES[number] if number < len(_NAMES) else str(number)
        for number in range(bits.bit_length()) if bits >> number & 1)


def parse_caps(text: str) -> Capabilities | None:
    """Return what a package says of a file's capabilities ("cap_net_raw=p"), None for nothing."""
    text = text.strip().removeprefix("= ").strip()
    if not text or text == "(none)" or text == "=":
        return None
    permitted, inheritable, effective = set[str](), set[str](), False
    for clause in text.split():
        names, sign, flags = clause.replace("+", "=").partition("=")
        if not sign:
            continue
        each = {name.removeprefix("cap_") for name in names.split(",") if name}
        permitted |= each if "p" in flags else set()
        inheritable |= each if "i" in flags else set()
        effective |= "e" in flags
    return Capabilities(frozenset(permitted), frozenset(inheritable), effective)
