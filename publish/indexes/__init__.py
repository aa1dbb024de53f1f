"""Indexes for the tools that people have: one file each, found by being there.

Each is made from the indexes of the release folders and nothing else, so that a reader can make it
again: `ccis verify` does, and compares byte for byte. A module has

    FOLDER            the folder at the top of the tree that its files lie in
    make(offers)      its files, by their path in that folder
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host.discovery import modules_in
from publish.model import Index, PublishedBuild, PublishedFile

Offers = Mapping[str, Index]
"""The indexes of all release folders, by path."""


def folders() -> list[str]:
    """Return the folders at the top of a tree that indexes lie in."""
    return sorted({module.FOLDER for module in modules_in(__name__)})


def make_all(offers: Offers) -> dict[str, dict[str, bytes]]:
    """Return the files of every index, by folder and by their path in it."""
    made: dict[str, dict[str, bytes]] = {folder: {} for folder in folders()}
    for module in modules_in(__name__):
        made[module.FOLDER] |= module.make(offers)
    return made


def offered(offers: Offers) -> Iterator[tuple[Index, PublishedBuild, PublishedFile]]:
    """Yield the files that people should take: in production, neither withdrawn nor leaving."""
    for _, index in sorted(offers.items()):
        for build in index.builds:
            if build.reached("production"):
                yield from ((index, build, file) for file in build.files)
