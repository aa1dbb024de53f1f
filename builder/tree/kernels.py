"""The kernels of a root tree."""

from __future__ import annotations

from builder.tree.tree import Tree


def kernels(tree: Tree) -> list[str]:
    """Return the versions of the installed kernels, sorted."""
    modules = tree.path("/usr/lib/modules")
    if not modules.is_dir():
        return []
    return sorted(
        folder.name for folder in modules.iterdir()
        if tree.exists(f"/boot/vmlinuz-{folder.name}")
    )
