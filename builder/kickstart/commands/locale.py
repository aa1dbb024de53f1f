"""lang, keyboard and timezone: how the system speaks, types and reads its clock."""

from __future__ import annotations

from builder.kickstart.read import Command
from builder.kickstart.registry import honours
from builder.root.tree import Tree
from host.errors import InputError


@honours("lang")
def lang(command: Command, tree: Tree) -> None:
    """`lang en_US.UTF-8` writes LANG into /etc/locale.conf (locale.conf(5))."""
    tree.write("/etc/locale.conf", f'LANG="{command.data.lang}"\n')


@honours("keyboard")
def keyboard(command: Command, tree: Tree) -> None:
    """`keyboard us` writes KEYMAP into /etc/vconsole.conf (vconsole.conf(5)).

    With --xlayouts and no --vckeymap, Anaconda takes the layout for the console, too.
    """
    data = command.data
    layout = data.x_layouts[0].split()[0] if data.x_layouts else ""
    keymap = data.vc_keymap or getattr(data, "_keyboard", "") or layout
    if not keymap:
        raise InputError("keyboard names no layout", where=command.where)
    tree.write("/etc/vconsole.conf", f'KEYMAP="{keymap}"\n')


@honours("timezone")
def timezone(command: Command, tree: Tree) -> None:
    """`timezone UTC --utc` links /etc/localtime; without --utc the hardware clock is local.

    adjtime(5): its third line says in which of the two the hardware clock runs.
    """
    data = command.data
    if data.timezone:
        zone = f"/usr/share/zoneinfo/{data.timezone}"
        if tree.exists("/usr/share/zoneinfo") and not tree.exists(zone):
            raise InputError(f"there is no time zone {data.timezone!r}", where=command.where)
        tree.link("/etc/localtime", f"..{zone}")
    tree.write("/etc/adjtime", f"0.0 0 0.0\n0\n{'UTC' if data.isUtc else 'LOCAL'}\n")
