"""Disk images in the formats of virtual machines: headers, blocks, ids."""
