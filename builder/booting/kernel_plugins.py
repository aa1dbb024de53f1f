"""What a kernel's scriptlet would do: held back while packages are installed into an empty root."""

from __future__ import annotations

from builder.tree.tree import Tree

# kernel-install's plugins that would make an initramfs in every kernel's scriptlet, with the build
# host's drivers and dracut's slow default compressor; a link to /dev/null disables one of them
# (kernel-install(8)).
_PLUGINS = ("50-dracut.install", "51-dracut-rescue.install")
_PLUGIN_FOLDER = "/etc/kernel/install.d"


def suppress(tree: Tree) -> None:
    """Keep the kernels' scriptlets from making an initramfs in an empty root."""
    for plugin in _PLUGINS:
        tree.link(f"{_PLUGIN_FOLDER}/{plugin}", "/dev/null")


def allow(tree: Tree) -> None:
    """Undo suppress(): the image's own kernel updates make theirs as ever.

    The folders stay: by now they belong to a package.
    """
    for plugin in _PLUGINS:
        tree.remove(f"{_PLUGIN_FOLDER}/{plugin}")
