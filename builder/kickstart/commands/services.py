"""services, firstboot and the kdump add-on: which units start with the system."""

from __future__ import annotations

from pykickstart.constants import FIRSTBOOT_DEFAULT, FIRSTBOOT_RECONFIG

from builder.kickstart.read import Addon, Command, Kickstart
from builder.kickstart.registry import after_all, honours, honours_addon
from builder.tree.numbers import number
from builder.tree.tree import Tree
from host.errors import InputError

_UNITS = ("/usr/lib/systemd/system", "/etc/systemd/system")


@honours("services")
def services(command: Command, tree: Tree) -> None:
    """`services --disabled=a --enabled=b`: first all disabled, then all enabled, as Anaconda does.

    Disabling what is not there is no error (it is not enabled, as asked); enabling it is.
    """
    for name in command.data.disabled:
        if has_unit(tree, name):
            disable(tree, name)
    for name in command.data.enabled:
        if not has_unit(tree, name):
            raise InputError(
                f"there is no unit {unit(name)} to enable", where=command.where,
                remedy="add the package that brings it to %packages, or remove its name here",
            )
        enable(tree, name)


@honours("firstboot")
def firstboot(command: Command, tree: Tree) -> None:
    """`firstboot --reconfig` leaves /etc/reconfigSys for Initial Setup, which asks again."""
    if command.data.firstboot == FIRSTBOOT_RECONFIG:
        tree.write("/etc/reconfigSys", "")


@after_all
def initial_setup(kickstart: Kickstart, tree: Tree) -> None:
    """Initial Setup starts only where `firstboot --enabled` or --reconfig wants it: a cloud image
    has nobody who could answer (pyanaconda/modules/services/installation.py)."""
    commands = kickstart.find("firstboot")
    wanted = commands and commands[-1].data.firstboot in (FIRSTBOOT_DEFAULT, FIRSTBOOT_RECONFIG)
    for name in ("initial-setup", "initial-setup-graphical"):
        if has_unit(tree, name):
            (enable if wanted else disable)(tree, name)


@honours_addon("com_redhat_kdump", "--enable", "--disable", "--reserve-mb", refused={
    "--enablefadump": "firmware-assisted dumps exist on POWER hardware alone",
})
def kdump(addon: Addon, tree: Tree) -> None:
    """`%addon com_redhat_kdump --disable` turns kdump off; --enable turns it on.

    The memory it reserves is an argument of the kernel: see `crashkernel`.
    """
    wanted = "--enable" in addon.words
    if has_unit(tree, "kdump"):
        (enable if wanted else disable)(tree, "kdump")
    elif wanted:
        raise InputError("kdump is enabled but not installed", where=addon.where,
                         remedy="add kdump-utils (9 and before: kexec-tools) to %packages")


def crashkernel(kickstart: Kickstart, tree: Tree) -> str | None:
    """Return the kernel's crashkernel= argument for the kdump add-on, None without it.

    `--reserve-mb=auto`, the default, is what kexec-tools of the release reserves
    (`kdumpctl get-default-crashkernel` on x86_64).
    """
    for addon in kickstart.addons:
        if addon.name != "com_redhat_kdump" or "--enable" not in addon.words:
            continue
        words = " ".join(addon.words).replace("=", " ").split()
        given = words[words.index("--reserve-mb") + 1:][:1] if "--reserve-mb" in words else []
        amount = given[0].strip("'\"").upper().removesuffix("M") if given else "AUTO"
        if amount.isdigit():
            return f"crashkernel={amount}M"
        release = release_of(tree)
        automatic = {7: "auto", 8: "auto", 9: "1G-4G:192M,4G-64G:256M,64G-:512M"}
        return f"crashkernel={automatic.get(release, '2G-64G:256M,64G-:512M')}"
    return None


def release_of(tree: Tree) -> int:
    """Return the tree's major version as os-release(5) has it; what can't be told is new."""
    fields = dict(line.split("=", 1) for line in tree.read("/etc/os-release").splitlines()
                  if "=" in line)
    version = fields.get("VERSION_ID", "").strip('"').split(".")[0]
    found = number(version, 99)
    return 99 if found is None else found


def enable(tree: Tree, name: str) -> None:
    """Make a unit start with the system."""
    tree.run("/usr/bin/systemctl", "enable", unit(name))


def disable(tree: Tree, name: str) -> None:
    """Keep a unit from starting by itself."""
    tree.run("/usr/bin/systemctl", "disable", unit(name))


def unit(name: str) -> str:
    """Return the full unit name: `sshd` means sshd.service."""
    return name if "." in name else f"{name}.service"


def has_unit(tree: Tree, name: str) -> bool:
    """Say whether the tree has a unit, the template of an instance of it, or an init script."""
    full = unit(name)
    template = full
    if "@" in full:
        template = full.partition("@")[0] + "@." + full.rpartition(".")[2]
    script = f"/etc/rc.d/init.d/{full.removesuffix('.service')}"
    return tree.exists(script) or any(
        tree.exists(f"{folder}/{candidate}") for folder in _UNITS for candidate in (full, template))
