"""SELinux labels: every file of the tree gets what the tree's own policy says."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from builder.tree.tree import Tree
from host.errors import HostError, ProgramError
from host.run import run

_ATTRIBUTE, _BY_HAND = "security.selinux", "labels.json"

def relabel(tree: Tree) -> None:
    """Label the whole tree with setfiles(8); a tree without a policy is left as it is.

    The host's kernel needs no SELinux: the labels are written as extended attributes.
    Raises HostError when setfiles fails.
    """
    found = re.search(r"^SELINUXTYPE=(\S+)", tree.read("/etc/selinux/config"), re.MULTILINE)
    if not found:
        return
    contexts = tree.path(f"/etc/selinux/{found[1]}/contexts/files/file_contexts")
    if not contexts.is_file():
        return
    try:
        run(["setfiles", "-F", "-T", "0", "-r", tree.root, contexts, tree.root])
    except ProgramError as error:
        raise HostError("SELinux labels could not be set", where=str(contexts),
                        why=error.why) from error


def save_set_by_hand(tree: Tree, paths: Iterable[bytes], folder: Path) -> None:
    """Keep the labels that chcon gave in %post: relabelling would take them back.

    paths: what chcon was called for, as the guest sees it. folder: the step's result.
    """
    found: dict[str, str] = {}
    for raw in paths:
        path = os.fsdecode(os.path.normpath(raw)) if raw else ""
        if not path.startswith("/"):
            continue
        file = tree.path(str(Path(path).parent)) / Path(path).name
        with contextlib.suppress(OSError):
            found[path] = os.getxattr(file, _ATTRIBUTE, follow_symlinks=False).decode()
    if found:
        (folder / _BY_HAND).write_text(json.dumps(found, indent=1), encoding="utf-8")


def restore_set_by_hand(tree: Tree, folder: Path) -> None:
    """Give files the labels again that save_set_by_hand() kept; what is gone by now is left out."""
    record = folder / _BY_HAND
    if not record.is_file():
        return
    for path, label in json.loads(record.read_text(encoding="utf-8")).items():
        file = tree.path(str(Path(path).parent)) / Path(path).name
        with contextlib.suppress(FileNotFoundError):
            os.setxattr(file, _ATTRIBUTE, label.encode(), follow_symlinks=False)
