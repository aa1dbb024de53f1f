"""SELinux labels: every file of the tree gets what the tree's own policy says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from filecmp import cmp
from pathlib import Path

from builder.sandbox.beside import TREE, run_beside
from builder.tree.normalise import MOVED
from builder.tree.tree import Tree, named
from host.beneath.root import Root
from host.errors import HostError, ProgramError
from host.scratch import scratch_folder

_ATTRIBUTE, _BY_HAND = "security.selinux", "labels.json"
# What setfiles reads beside file_contexts (selabel_file(5)). Not the *.bin: the same compiled,
# which PCRE forbids to load from anybody who is not trusted (pcre2serialize(3)).
_CONFIGURATION, _CONTEXTS = "/etc/selinux/config", "file_contexts"
_BESIDE = (".homedirs", ".local", ".subs", ".subs_dist")
_CONTEXTS_BYTES = 64 << 20
_TIMEOUT_S = 900
# setfiles compares every path with every folder that it is to leave out.
_SPARED_MAX = 256
_SHOWN = "/contexts"
# To write security.*, also of what others own, and to come into folders that forbid it; where the
# host has SELinux, to write labels that its own policy does not know (capabilities(7)).
_RIGHTS = ("CAP_SYS_ADMIN", "CAP_FOWNER", "CAP_DAC_OVERRIDE", "CAP_MAC_ADMIN")


def relabel(tree: Tree, labelled: Path | None = None, others: Sequence[Path] = ()) -> None:
    """Label the whole tree with setfiles(8); a tree without a policy is left as it is.

    labelled: a layer of the tree that had its labels when it alone was the tree; others: all other
    layers. While the policy is the same, folders that only the first has are not looked at again.
    The host's kernel needs no SELinux: the labels are written as extended attributes. setfiles is
    the host's, and reads copies of the tree's policy.
    Raises InputError for a policy that is no file or far too large, HostError when setfiles fails.
    """
    with scratch_folder("labels") as scratch:
        contexts = _copy_contexts(tree.files, scratch)
        if contexts is None:
            return
        spared = (_spared(tree, others) if labelled and _same_contexts(labelled, scratch)
                  else [])
        words = [word for path in spared for word in ("-e", f"{TREE}{path}")]
        try:
            run_beside(
                tree.root, ["setfiles", "-F", "-T", "0", *words, "-r", TREE,
                            f"{_SHOWN}/{_CONTEXTS}", TREE],
                rights=_RIGHTS, timeout_s=_TIMEOUT_S, shown={_SHOWN: scratch})
        except ProgramError as error:
            raise HostError("SELinux labels could not be set", where=contexts,
                            why=error.why) from error


def _copy_contexts(files: Root, folder: Path) -> str | None:
    """Copy what setfiles reads out of a tree; return where it is, None without a policy."""
    with named(_CONFIGURATION):
        text = files.read(_CONFIGURATION, follow=True) if files.is_file(_CONFIGURATION) else b""
    found = re.search(r"^SELINUXTYPE=(\S+)", text.decode("utf-8", "surrogateescape"), re.MULTILINE)
    if not found:
        return None
    contexts = f"/etc/selinux/{found[1]}/contexts/files/{_CONTEXTS}"
    with named(contexts):
        if not files.exists(contexts):
            return None
        for ending in ("", *_BESIDE):
            if files.exists(contexts + ending):
                files.copy_out(contexts + ending, folder / (_CONTEXTS + ending),
                               follow=True, limit_bytes=_CONTEXTS_BYTES)
    return contexts


def _same_contexts(layer: Path, contexts: Path) -> bool:
    """Say whether a layer alone has the very policy whose files lie in a folder."""
    with scratch_folder("labels") as scratch:
        _copy_contexts(Root(layer), scratch)
        pairs = [(contexts / name, scratch / name)
                 for name in (_CONTEXTS + ending for ending in ("", *_BESIDE))]
        return all(
            cmp(one, other, shallow=False) if one.is_file() and other.is_file()
            else one.is_file() == other.is_file() for one, other in pairs)


def _spared(tree: Tree, others: Sequence[Path]) -> list[str]:
    """Return folders of the tree of which, and of whose content, other layers have nothing.

    None where a folder was moved: what is in it then is in no layer by its path.
    """
    seen, folders = set[str](), ["/"]
    for layer in others:
        for found in Root(layer).walk():
            seen.add(found.path)
            if found.is_folder:
                if MOVED in found.attributes():
                    return []
                folders.append(found.path)
    files, spared = tree.files, []
    for folder in dict.fromkeys(folders):
        with named(folder):
            if not files.is_folder(folder, follow=False):
                continue
            for name in files.names(folder):
                path = f"{folder.rstrip('/')}/{name}"
                if path not in seen and files.is_folder(path, follow=False):
                    spared.append(path)
    return spared if len(spared) <= _SPARED_MAX else []


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
