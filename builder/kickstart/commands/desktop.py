"""skipx and xconfig: what the system starts into."""

from __future__ import annotations

from builder.kickstart.read import Command, Kickstart
from builder.kickstart.registry import after_all, honoured_by, honours
from builder.tree.tree import Tree

_LOGIN_MANAGERS = ("gdm", "sddm", "lightdm", "lxdm", "plasmalogin")
_WITHOUT_SCREEN = ("text", "cmdline", "vnc", "rdp")

honoured_by("settings", "skipx")


@honours("xconfig")
def xconfig(command: Command, tree: Tree) -> None:
    """`xconfig --defaultdesktop=GNOME` writes /etc/sysconfig/desktop; for --startxonboot see
    `default_target`."""
    if command.data.defaultdesktop:
        tree.write("/etc/sysconfig/desktop", f"DESKTOP={command.data.defaultdesktop}\n")


@after_all
def default_target(kickstart: Kickstart, tree: Tree) -> None:
    """Link /etc/systemd/system/default.target, as every installation does.

    `skipx` means multi-user.target, `xconfig --startxonboot` graphical.target; else an installation
    without a screen of its own (text, cmdline, vnc, rdp) leads to multi-user.target, and any other
    to graphical.target where a graphical login is installed
    (pyanaconda/modules/services/installation.py; pyanaconda/startup_utils.py,
    initialize_default_systemd_target).
    """
    folder = "/etc/systemd/system"
    if not tree.exists(folder):
        return
    if kickstart.find("skipx"):
        graphical = False
    elif any(command.data.startX for command in kickstart.find("xconfig")):
        graphical = True
    else:
        graphical = not kickstart.find(*_WITHOUT_SCREEN) and any(
            tree.exists(f"/usr/lib/systemd/system/{name}.service") for name in _LOGIN_MANAGERS)
    target = "graphical.target" if graphical else "multi-user.target"
    tree.link(f"{folder}/default.target", f"/usr/lib/systemd/system/{target}")
