"""What Windows wants to find in a distribution for its Subsystem for Linux, beside the tree.

Source: Microsoft, "Build a Custom Linux Distribution for WSL" (WSL 2.4.4 and later).
"""

from __future__ import annotations

from pathlib import Path

from builder.artefact import About
from builder.formats.archives.members import Member
from host.beneath.root import Root

LEAVE_OUT = ("etc/resolv.conf",)
"""What WSL writes by itself at each start, and asks distributions not to bring."""

_OOBE = "usr/lib/wsl/oobe.sh"
_FIRST_UID = 1000

# Known to get in the way of WSL's own network, /tmp and /dev (Microsoft's list).
_MASKED = (
    "NetworkManager.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-tmpfiles-clean.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-tmpfiles-setup.service",
    "tmp.mount",
)

_OOBE_SCRIPT = f"""\
#!/bin/sh
# First start: makes the account that WSL logs in to from then on.
set -u

if getent passwd {_FIRST_UID} > /dev/null; then
    exit 0
fi
echo 'Please choose a name for your account. It need not be the one you have in Windows.'
while true; do
    printf 'Name: '
    read -r name || exit 1
    if [ -z "$name" ] || ! useradd --create-home --uid {_FIRST_UID} --groups wheel -- "$name"; then
        continue
    fi
    # Without a password sudo would refuse; where there is no passwd there is hardly a sudo.
    if ! command -v passwd > /dev/null || passwd "$name"; then
        exit 0
    fi
    userdel --remove -- "$name"
done
"""


def files(tree: Path, about: About) -> dict[str, Member]:
    """Return the members to add, by their names in the archive.

    What the tree has of these already is the kickstart's or a package's own, and stays as it is.
    systemd is on where there is one. The default user is the one that the first start makes;
    a tree without useradd stays root's, because a first start that fails gives nobody a shell.
    """
    wanted = {
        "etc/wsl.conf": Member(_wsl_conf(tree)),
        "etc/wsl-distribution.conf": Member(_distribution_conf(tree, about)),
    }
    if _makes_user(tree) and not _there(tree, "etc/wsl-distribution.conf"):
        wanted[_OOBE] = Member(_OOBE_SCRIPT, mode=0o755)
    for unit in _MASKED:
        if _there(tree, f"usr/lib/systemd/system/{unit}"):
            wanted[f"etc/systemd/system/{unit}"] = Member(link="/dev/null")
    return {f"./{path}": member for path, member in wanted.items() if not _there(tree, path)}


def _wsl_conf(tree: Path) -> str:
    systemd = "true" if _there(tree, "usr/lib/systemd/systemd") else "false"
    user = "" if _makes_user(tree) else "\n[user]\ndefault=root\n"
    return f"[boot]\nsystemd={systemd}\n{user}"


def _distribution_conf(tree: Path, about: About) -> str:
    first = f"command = /{_OOBE}\ndefaultUid = {_FIRST_UID}\n" if _makes_user(tree) else ""
    return f"[oobe]\n{first}defaultName = {about.distribution}-{about.version}\n"


def _makes_user(tree: Path) -> bool:
    return any(_there(tree, path) for path in ("usr/sbin/useradd", "usr/bin/useradd"))


def _there(tree: Path, path: str) -> bool:
    """Say whether the tree has a path, be it a link to nothing."""
    return Root(tree).exists(f"/{path}", follow=False)
