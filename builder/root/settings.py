"""Settings: what the kickstart's commands and the disk's layout write into the root tree."""

from __future__ import annotations

from builder.disk.layout import Layout, fstab
from builder.kickstart.read import Kickstart
from builder.kickstart.registry import apply
from builder.root.tree import Tree


def configure(tree: Tree, kickstart: Kickstart, layout: Layout) -> None:
    """Write /etc/fstab and the mount points, then do what every command says.

    Raises InputError, with the command's file and line, for what the tree can't fulfil.
    """
    for mountpoint in layout.mountpoints:
        tree.path(mountpoint).mkdir(parents=True, exist_ok=True)
    tree.write("/etc/fstab", fstab(layout))
    apply(kickstart, tree)
