"""The root tree: packages, settings, scripts, labels, initramfs, seal."""
