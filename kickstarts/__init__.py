"""Kickstart files, one per image flavour."""
