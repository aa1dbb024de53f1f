"""For each rule about a started image: what a good guest says, and what one says that breaks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Said:
    """good, bad: the answers to the check's questions. more: how else the bad guest differs."""

    good: list[str]
    bad: list[str]
    more: dict[str, Any] = field(default_factory=dict)


def one(good: str, bad: str) -> Said:
    return Said([good], [bad])


_KEYS, _PUBLIC = "/etc/ssh/ssh_host_ed25519_key 600 0 1000050", "ssh-ed25519 KEY root@x"
_RESULT = '{"v1": {"datasource": "DataSourceNoCloud [seed=/dev/vdb]", "errors": []}}'
_AT_THE_END = f"{706 << 11} {(14 * 1024 - 707) << 11}"
_GROWN = [f"1B-blocks Type\n{(14 * 1024 - 771) << 20} xfs", _AT_THE_END, "part\ndisk", ""]
_SHORT = f"{706 << 11} {(10 * 1024 - 707) << 11}"
_USER = ["{user}", "(ALL) NOPASSWD: ALL", "ssh-ed25519 AAAA me"]

SAID: dict[str, Said] = {
    "running.cloud-init": Said(["status: done", _RESULT], ["status: error", _RESULT]),
    "running.firmware": one("bios", "uefi"),
    "running.no-failed-unit": one("", "a.service: loaded failed"),
    "running.system-state": one("running", "degraded"),
    "running.root-grown": Said(
        _GROWN, [f"1B-blocks Type\n{9 << 30} xfs", _SHORT, "part\ndisk", ""]),
    "running.host-keys": Said([_KEYS, _PUBLIC], [_KEYS.replace("1000050", "900000"), _PUBLIC]),
    "running.user": Said(_USER, [_USER[0], "(ALL) ALL", _USER[2]]),
    "running.no-passwords": Said([], [], {"ways_in": {"root": ["publickey", "password"]}}),
    "running.selinux": one("Enforcing", "Permissive"),
    "running.no-denials": one("", "avc:  denied  { read }"),
    "running.hostname": one("ccis-1.example", "localhost"),
    "running.packages": one("a-1-1.noarch", "b-1-1.noarch"),
    "running.rpm-verify": one("", "S.5....T.    /usr/bin/bash"),
    "running.machine-id": one("0123456789abcdef" * 2, "uninitialized"),
    "running.network": one("default via 10.0.2.2 dev eth0", ""),
    "running.time-zone": one("UTC", "CEST"),
    "running.clock": one("active", "inactive"),
    "running.console": one("serial-getty@ttyS0.service loaded active running x", ""),
    "running.kernel-clean": one("", "BUG: unable to handle page fault"),
    "running.power-button": Said([], [], {"shut_down": False}),
    "running.ssh-effective": one("passwordauthentication no\npermitemptypasswords no",
                                 "passwordauthentication yes\npermitemptypasswords no"),
    "running.ssh-root-effective": one("permitrootlogin prohibit-password", "permitrootlogin yes"),
    "running.host-key-mode": one("", "644 root:root /etc/ssh/ssh_host_rsa_key"),
    "running.host-key-types": one("ssh_host_rsa_key\nssh_host_ecdsa_key\nssh_host_ed25519_key",
                                  "ssh_host_rsa_key"),
    "running.no-warnings": one("", "detail: Traceback"),
    "running.user-id": one("cloud-user:x:1000:1000::/home/cloud-user:/bin/bash", ""),
    "running.listening": one("", "tcp 0.0.0.0:111"),
    "running.dns": one("nameserver 10.0.2.3", "# nothing"),
    "running.ipv6": one("inet6 ::1/128 scope host", ""),
    "running.audit": one("active", "inactive"),
    "running.journal": one("", "kernel: fault"),
    "running.rpm-runs": one("bash-5.2-1\n4.14", "rpm: error while loading shared libraries"),
    "running.locale": one("UTF-8", "locale: Cannot set LC_CTYPE\nANSI_X3.4-1968"),
    "running.memory": one("", "812.5"),
    "running.tainted": one("0", "4097"),
    "running.user-data-mode": one("", "/var/lib/cloud/instance/user-data.txt"),
}
