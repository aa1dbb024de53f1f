"""Proofs on the instance's own identity: host keys, machine id, host name, user, ways in."""

from __future__ import annotations

from host.patterns import pattern
from specs.kinds.guest import (
    GuestHostKeysNew,
    GuestHostname,
    GuestMachineId,
    GuestPasswordRefused,
    GuestUser,
)
from validate.boot.guest import Guest
from validate.registry import Finding, proves, verdict

_KEY_FILES = "stat -c '%n %a %u %Y' /etc/ssh/ssh_host_*_key"
_PUBLIC_KEYS = "cat /etc/ssh/ssh_host_*_key.pub"
_MACHINE_ID = "cat /etc/machine-id"
_HOSTNAME = "cat /proc/sys/kernel/hostname"
_CLOSED = {"400", "600", "640"}
_BY_PASSWORD = {"password", "keyboard-interactive", "none"}
_CLOCK_SLACK_S = 120
"""QEMU gives the guest the host's clock; a guest may round or step it a little."""


@proves(GuestHostKeysNew, asks=lambda _check: [_KEY_FILES, _PUBLIC_KEYS])
def guest_host_keys_new(check: GuestHostKeysNew, guest: Guest) -> Finding:
    """Compare the keys' age with the boot, and the key that sshd proved with the files.

    Where cloud-init printed the keys on the console, which nobody on the network can forge, the
    key that answered must be among those.
    """
    wrong, names = [], []
    for line in guest.answer(_KEY_FILES).output.splitlines():
        match = pattern(r"(\S+) (\d+) (\d+) (\d{1,18})").fullmatch(line)
        if match is None:
            wrong.append(line)
            continue
        names.append(match[1].rpartition("/")[2])
        if int(match[4]) < guest.started_s - _CLOCK_SLACK_S:
            wrong.append(f"{match[1]} is older than the boot")
        if match[2] not in _CLOSED or match[3] != "0":
            wrong.append(f"{match[1]} has mode {match[2]}, owner {match[3]}")
    public = [" ".join(one.split()[:2]) for one in guest.answer(_PUBLIC_KEYS).output.splitlines()]
    if guest.connected_key not in public:
        wrong.append("sshd answers with a key that is in no file")
    if guest.console_keys and guest.connected_key not in guest.console_keys:
        wrong.append("sshd answers with another key than the console shows")
    if not names and not wrong:
        wrong.append("there are no host keys")
    seen = "as shown on the console" if guest.console_keys else "not shown on the console"
    return verdict(wrong, f"{', '.join(names)}; {seen}", "host keys made during this boot")


@proves(GuestMachineId, asks=lambda _check: [_MACHINE_ID])
def guest_machine_id(check: GuestMachineId, guest: Guest) -> Finding:
    """Read it: 32 hexadecimal digits, not all zero (machine-id(5))."""
    found = guest.answer(_MACHINE_ID).output
    good = pattern("[0-9a-f]{32}").fullmatch(found) is not None and set(found) != {"0"}
    return Finding(good, found or "nothing", "32 hexadecimal digits")


@proves(GuestHostname, asks=lambda _check: [_HOSTNAME])
def guest_hostname(check: GuestHostname, guest: Guest) -> Finding:
    """Compare; a domain behind the name is the image's affair."""
    found = guest.answer(_HOSTNAME).output
    return Finding(found.split(".")[0] == guest.hostname, found, guest.hostname)


def _about_user(check: GuestUser) -> list[str]:
    return [f"id -un {check.name}", f"sudo -l -U {check.name}", _authorized(check)]


def _authorized(check: GuestUser) -> str:
    return f"cat ~{check.name}/.ssh/authorized_keys"


@proves(GuestUser, asks=_about_user)
def guest_user(check: GuestUser, guest: Guest) -> Finding:
    """See who came in with the key, and whether sudo let them."""
    wrong = []
    if guest.user != check.name:
        wrong.append(f"{guest.user} came in, not {check.name}")
    if not guest.as_root:
        wrong.append(f"{guest.user} may not use sudo without a password")
    else:
        if "NOPASSWD" not in guest.answer(f"sudo -l -U {check.name}").output:
            wrong.append("no rule of sudo's says NOPASSWD")
        if guest.public_key.split()[1] not in guest.answer(_authorized(check)).output:
            wrong.append("the injected key is not in authorized_keys")
    expected = f"{check.name} comes in with the injected key and uses sudo without a password"
    return verdict(wrong, f"{check.name}, by key, with sudo", expected)


@proves(GuestPasswordRefused)
def guest_password_refused(check: GuestPasswordRefused, guest: Guest) -> Finding:
    """Read the ways in that sshd offers."""
    wrong = [
        f"{user} is offered {way}" for user, ways in guest.ways_in.items() for way in ways
        if way in _BY_PASSWORD or way.startswith("unknown")
    ]
    ways = sorted({way for offered in guest.ways_in.values() for way in offered})
    return verdict(wrong, f"only {', '.join(ways)}", "no way in by password")
