"""The kernels of a root tree."""

from __future__ import annotations

from builder.tree.tree import Tree


def kernels(tree: Tree) -> list[str]:
    """Return the versions of the installed kernels, sorted."""
    return [name for name in tree.files.names("/usr/lib/modules")
            if tree.exists(f"/boot/vmlinuz-{name}")]
