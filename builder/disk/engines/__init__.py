"""The engines that write disk images, one module each (registry.py)."""
