"""What a machine starts by: boot loader, initramfs, drivers."""
