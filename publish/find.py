"""Finds a build in a release tree by its name."""

from __future__ import annotations

from pathlib import Path

from host.errors import InputError
from publish.current import MAX_INDEX_BYTES
from publish.folder import UnusableError, opened, release_folders
from publish.model import INDEX, Index, IndexProblem, PublishedBuild, parse_index


def indexes(root: Path) -> dict[str, Index]:
    """Return the index of each release folder, by path, as they claim to be: nothing is verified.

    Raises InputError when there is no tree, or an index is none.
    """
    found = {}
    if not root.is_dir():
        raise InputError("is not a folder", where=str(root), remedy="give --root")
    for path in release_folders(root, (INDEX,)).folders:
        try:
            with opened(root, path) as folder:
                found[path] = parse_index(folder.read(INDEX, MAX_INDEX_BYTES))
        except (UnusableError, IndexProblem) as error:
            raise InputError("is not the index of a release folder",
                             where=str(root / path / INDEX), why=str(error),
                             remedy="`ccis verify` tells more") from error
    return found


def find_build(root: Path, name: str) -> tuple[str, Index, PublishedBuild]:
    """Return where a build is, the index there, and its entry; raises InputError."""
    every = indexes(root)
    for path, index in every.items():
        for build in index.builds:
            if build.name == name:
                return path, index, build
    names = [build.name for index in every.values() for build in index.builds]
    raise InputError(f"there is no build {name}", where=str(root),
                     remedy="there are: " + ", ".join(names[-5:]) if names else "publish one")


def readable_indexes(root: Path) -> dict[str, Index]:
    """Return the indexes that can be read, by path: a folder that is damaged is no matter here."""
    found = {}
    for path in release_folders(root, (INDEX,)).folders:
        try:
            with opened(root, path) as folder:
                found[path] = parse_index(folder.read(INDEX, MAX_INDEX_BYTES))
        except (UnusableError, IndexProblem):
            continue
    return found


def any_index(root: Path) -> Index | None:
    """Return the index of some folder of the tree, None when there is none that can be read.

    What is wrong with one is said by whoever changes it.
    """
    return next(iter(readable_indexes(root).values()), None) if root.is_dir() else None
