"""Starts an image under QEMU and asks it questions over SSH."""
