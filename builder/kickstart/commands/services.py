"""services, firstboot and the kdump add-on: which units start with the system."""

from __future__ import annotations

from pykickstart.constants import FIRSTBOOT_RECONFIG, FIRSTBOOT_SKIP

from builder.kickstart.read import Addon, Command
from builder.kickstart.registry import honours, honours_addon
from builder.root.tree import Tree
from host.errors import InputError


@honours("services")
def services(command: Command, tree: Tree) -> None:
    """`services --disabled=a --enabled=b`: first all disabled, then all enabled, as Anaconda does.

    Disabling what is not there is no error (it is not enabled, as asked); enabling it is.
    """
    for name in command.data.disabled:
        if has_unit(tree, name):
            tree.run("/usr/bin/systemctl", "disable", unit(name))
    for name in command.data.enabled:
        if not has_unit(tree, name):
            raise InputError(
                f"there is no unit {unit(name)} to enable", where=command.where,
                remedy="add the package that brings it to %packages, or remove its name here",
            )
        tree.run("/usr/bin/systemctl", "enable", unit(name))


@honours("firstboot")
def firstboot(command: Command, tree: Tree) -> None:
    """`firstboot --disabled` keeps initial-setup from asking questions nobody answers."""
    for name in ("initial-setup", "initial-setup-graphical"):
        if has_unit(tree, name):
            word = "disable" if command.data.firstboot == FIRSTBOOT_SKIP else "enable"
            tree.run("/usr/bin/systemctl", word, unit(name))
    if command.data.firstboot == FIRSTBOOT_RECONFIG:
        tree.write("/etc/reconfigSys", "")


@honours_addon("com_redhat_kdump")
def kdump(addon: Addon, tree: Tree) -> None:
    """`%addon com_redhat_kdump --disable` turns kdump off; --enable turns it on."""
    wanted = "--enable" in addon.words
    if has_unit(tree, "kdump"):
        tree.run("/usr/bin/systemctl", "enable" if wanted else "disable", "kdump.service")
    elif wanted:
        raise InputError("kdump is enabled but not installed", where=addon.where,
                         remedy="add kdump-utils (9: kexec-tools) to %packages")


def unit(name: str) -> str:
    """Return the full unit name: `sshd` means sshd.service."""
    return name if "." in name else f"{name}.service"


def has_unit(tree: Tree, name: str) -> bool:
    """Say whether the tree has a unit, or the template of an instance of it."""
    full = unit(name)
    template = full
    if "@" in full:
        template = full.partition("@")[0] + "@." + full.rpartition(".")[2]
    return any(tree.exists(f"{folder}/{candidate}")
               for folder in ("/usr/lib/systemd/system", "/etc/systemd/system")
               for candidate in (full, template))
