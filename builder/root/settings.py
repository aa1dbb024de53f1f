"""Settings: what the kickstart's commands and the disk's layout write into the root tree."""

from __future__ import annotations

from builder.disk.fstab import crypttab, fstab, mdadm_conf
from builder.disk.layout import Layout
from builder.kickstart.read import Kickstart
from builder.kickstart.registry import apply
from builder.tree.tree import Tree


def configure(tree: Tree, kickstart: Kickstart, layout: Layout) -> None:
    """Write the mount points, /etc/fstab, crypttab and mdadm.conf, then do what every command says.

    Raises InputError, with the command's file and line, for what the tree can't fulfil.
    """
    for mountpoint in layout.mountpoints:
        tree.make_folder(mountpoint)
    tree.write("/etc/fstab", fstab(layout))
    if (text := crypttab(layout)) is not None:
        tree.write("/etc/crypttab", text, mode=0o600)
    if (text := mdadm_conf(layout)) is not None:
        tree.write("/etc/mdadm.conf", text)
    apply(kickstart, tree)
