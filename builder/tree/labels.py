"""SELinux labels: every file of the tree gets what the tree's own policy says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from builder.sandbox.beside import TREE, run_beside
from builder.tree.tree import Tree, named
from host.errors import HostError, ProgramError
from host.scratch import scratch_folder

_ATTRIBUTE, _BY_HAND = "security.selinux", "labels.json"
# What setfiles reads beside file_contexts (selabel_file(5)). Not the *.bin: the same compiled,
# which PCRE forbids to load from anybody who is not trusted (pcre2serialize(3)).
_CONTEXTS = "file_contexts"
_BESIDE = (".homedirs", ".local", ".subs", ".subs_dist")
_CONTEXTS_BYTES = 64 << 20
_TIMEOUT_S = 900
_SHOWN = "/contexts"
# To write security.*, also of what others own, and to come into folders that forbid it; where the
# host has SELinux, to write labels that its own policy does not know (capabilities(7)).
_RIGHTS = ("CAP_SYS_ADMIN", "CAP_FOWNER", "CAP_DAC_OVERRIDE", "CAP_MAC_ADMIN")


def relabel(tree: Tree) -> None:
    """Label the whole tree with setfiles(8); a tree without a policy is left as it is.

    The host's kernel needs no SELinux: the labels are written as extended attributes. setfiles is
    the host's, and reads copies of the tree's policy.
    Raises InputError for a policy that is no file or far too large, HostError when setfiles fails.
    """
    found = re.search(r"^SELINUXTYPE=(\S+)", tree.read("/etc/selinux/config"), re.MULTILINE)
    if not found:
        return
    contexts = f"/etc/selinux/{found[1]}/contexts/files/{_CONTEXTS}"
    with named(contexts), scratch_folder("labels") as scratch:
        if not tree.files.exists(contexts):
            return
        for ending in ("", *_BESIDE):
            if tree.files.exists(contexts + ending):
                tree.files.copy_out(contexts + ending, scratch / (_CONTEXTS + ending),
                                    follow=True, limit_bytes=_CONTEXTS_BYTES)
        try:
            run_beside(
                tree.root, ["setfiles", "-F", "-T", "0", "-r", TREE, f"{_SHOWN}/{_CONTEXTS}", TREE],
                rights=_RIGHTS, timeout_s=_TIMEOUT_S, shown={_SHOWN: scratch})
        except ProgramError as error:
            raise HostError("SELinux labels could not be set", where=contexts,
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
        with named(path):
            label = tree.files.attribute(path, _ATTRIBUTE)
        if label is not None:
            found[path] = os.fsdecode(label)
    if found:
        (folder / _BY_HAND).write_text(json.dumps(found, indent=1), encoding="utf-8")


def restore_set_by_hand(tree: Tree, folder: Path) -> None:
    """Give files the labels again that save_set_by_hand() kept; what is gone by now is left out."""
    record = folder / _BY_HAND
    if not record.is_file():
        return
    for path, label in json.loads(record.read_text(encoding="utf-8")).items():
        with named(path):
            if tree.files.exists(path, follow=False):
                tree.files.set_attribute(path, _ATTRIBUTE, os.fsencode(label))
