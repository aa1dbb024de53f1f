"""What steps call the parts of their results, which lie in the result's data in the store."""

from __future__ import annotations

LAYER = "layer"
"""Of a step that changes the tree: the folder that holds what it changed."""

IMAGE = "image"
"""Of the step that makes it: the raw disk."""

FILES = "files"
"""Of a format: the folder with the artefact's files, each named by its ending."""

SUMS = "sums.json"
"""Of a format: the SHA-256 of each of these files, by its name."""
