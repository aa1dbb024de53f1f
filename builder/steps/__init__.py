"""The steps of a build: one file each, found by being there (registry.py)."""
