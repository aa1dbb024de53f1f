"""Puts the indexes for other tools (publish/indexes) into a tree, each folder of them at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from host.beneath.root import Root
from host.files import sync_tree
from publish.folder import UnusableError
from publish.indexes import folders, make_all
from publish.model import Index, epoch
from publish.source import HttpTree, LocalTree
from publish.workshop import Workshop


def put_views(works: Workshop, indexes: Mapping[str, Index]) -> None:
    """Bring the folders of indexes in line with the release folders, if they are not.

    A file that stays keeps its time; one that changes gets a later one. Raises OSError.
    """
    tree = LocalTree(works.root)
    last_s = max((epoch(index.updated) for index in indexes.values()), default=0)
    for folder, files in make_all(indexes).items():
        there = _there(works.root, folder)
        same = {name for name, content in files.items() if _same(tree, f"{folder}/{name}", content)}
        if there.keys() == files.keys() == same:
            continue
        made = works.folder(f"view-{folder}")
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(0o755)
            if name in same:
                os.link(works.root / folder / name, path, follow_symlinks=False)
                continue
            path.write_bytes(content)
            path.chmod(0o644)
            os.utime(path, (max(last_s, there.get(name, 0) + 1),) * 2)
        sync_tree(made)
        works.switch(made, folder)


def check_views(
    tree: LocalTree | HttpTree, served: Mapping[str, Index], vouched: Mapping[str, Index],
) -> tuple[dict[str, str], list[str]]:
    """Return what is wrong with the indexes in a tree, by file, and what is only late, as notes.

    served: the folders' own indexes. vouched: those of the chain of trust; a publisher that was
    killed leaves both a step behind. What a URL has too many can't be seen.
    """
    wrong: dict[str, str] = {}
    late = []
    ought, before = make_all(served), make_all(vouched)
    for folder in folders():
        problems = _compare(tree, folder, ought[folder])
        if problems and vouched and not _compare(tree, folder, before[folder]):
            late.append(f"{folder}/: a publisher was interrupted; its next run brings it after")
        else:
            wrong |= problems
    return wrong, late


def _compare(
    tree: LocalTree | HttpTree, folder: str, files: Mapping[str, bytes],
) -> dict[str, str]:
    wrong = {}
    if isinstance(tree, LocalTree):
        wrong = {f"{folder}/{name}": "it is not part of the release"
                 for name in _there(tree.root, folder).keys() - files.keys()}
    for name, content in files.items():
        path = f"{folder}/{name}"
        try:
            if not _same(tree, path, content, missing=True):
                wrong[path] = "it does not say what the release folders say"
        except UnusableError as error:
            wrong[path] = str(error)
    return wrong


def _there(root: Path, folder: str) -> dict[str, int]:
    """Return the times of all that is in a folder and no folder itself, by path."""
    tree = Root(root)
    if not tree.is_folder(f"/{folder}", follow=False):
        return {}
    return {found.path.removeprefix(f"/{folder}/"): int(found.status.st_mtime)
            for found in tree.walk(f"/{folder}") if not found.is_folder}


def _same(
    tree: LocalTree | HttpTree, path: str, content: bytes, *, missing: bool = False,
) -> bool:
    """Say whether a file has this content. missing: raise UnusableError when there is none."""
    found = b""
    try:
        for piece in tree.stream(path):
            found += piece
            if len(found) > len(content):
                return False
    except UnusableError:
        if missing:
            raise
        return False
    return found == content
