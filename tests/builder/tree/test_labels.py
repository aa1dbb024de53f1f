"""Labels of a tree in layers: what is not looked at again has the labels that it would get."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.sandbox.sandbox import Sandbox
from builder.tree import labels
from builder.tree.tree import Tree
from host.mounts import overlay, private_mounts

POLICY = "/etc/selinux/targeted/contexts/files/file_contexts"
CONTEXTS = """/.* system_u:object_r:default_t:s0
/usr(/.*)? system_u:object_r:usr_t:s0
/usr/share/doc(/.*)? system_u:object_r:doc_t:s0
/etc(/.*)? system_u:object_r:etc_t:s0
/srv(/.*)? system_u:object_r:srv_t:s0
"""
FILES = ("/usr/bin/true", "/usr/share/doc/a/b", "/usr/share/doc/c", "/etc/hosts", "/srv/x/y",
         "/var/lib/z")

Change = Callable[[Path], object]


def write(name: str, text: str = "x") -> Change:
    def change(view: Path) -> None:
        path = view / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return change


def becomes_file(view: Path) -> None:
    (view / "srv/x/y").unlink()
    (view / "srv/x").rmdir()
    (view / "srv/x").write_text("x")


def wrong_label(view: Path) -> None:
    os.setxattr(view / "usr/share/doc/c", "security.selinux", b"a:b:wrong_t:s0\0")


CHANGES: dict[str, list[Change]] = {
    "a file in a folder that there was": [write("/usr/bin/false")],
    "a new folder": [write("/opt/new/file")],
    "a folder that became a file": [becomes_file],
    "a folder that was moved with what is in it": [
        lambda view: (view / "usr/share/doc").rename(view / "srv/doc")],
    "a label set by hand": [wrong_label],
    "another policy": [write(POLICY, CONTEXTS.replace("srv_t", "other_t"))],
    "more policy": [write(f"{POLICY}.local", "/usr/share/doc/c a:b:local_t:s0\n")],
    "another owner of a folder": [lambda view: os.chown(view / "var/lib", 1, 1)],
    "nothing": [],
}


def labelled_tree(folder: Path) -> Path:
    """Return a lowest layer as the packages' step leaves it."""
    layer = folder / "packages"
    for name in FILES:
        write(name)(layer)
    write("/etc/selinux/config", "SELINUXTYPE=targeted\n")(layer)
    write(POLICY, CONTEXTS)(layer)
    labels.relabel(tree_of(layer))
    return layer


def tree_of(root: Path) -> Tree:
    return Tree(root, Sandbox(root, 0))


def labels_of(view: Path) -> dict[str, bytes]:
    return {str(path.relative_to(view)): os.getxattr(path, "security.selinux")
            for path in (view, *view.rglob("*"))}


def relabelled(
    folder: Path, layer: Path, changes: list[Change], *, whole: bool,
) -> tuple[dict[str, bytes], int]:
    """Return the labels after changes, half in a layer of their own; and how much was read."""
    uppers = [folder / "one", folder / "two"]
    lower = [layer]
    for upper in uppers:
        work, view = folder / f"{upper.name}-work", folder / f"{upper.name}-view"
        for each in (upper, work, view):
            each.mkdir(parents=True)
        with overlay(lower, upper, work, view):
            if upper is uppers[0]:
                for change in changes:
                    change(view)
            else:
                write("/etc/motd")(view)
                tree = tree_of(view)
                spared = labels._spared(tree, uppers)
                labels.relabel(tree) if whole else labels.relabel(tree, layer, uppers)
                return labels_of(view), len(spared)
        lower = [upper, *lower]
    raise AssertionError


@pytest.mark.parametrize("what", CHANGES)
def test_a_tree_in_layers_gets_the_labels_that_it_would_get_if_all_was_looked_at(
    tmp_path: Path, what: str,
) -> None:
    private_mounts()
    layer = labelled_tree(tmp_path)
    found, spared = relabelled(tmp_path / "quick", layer, CHANGES[what], whole=False)
    expected, _ = relabelled(tmp_path / "whole", layer, CHANGES[what], whole=True)
    assert found == expected and found["etc/motd"] == b"system_u:object_r:etc_t:s0\0"
    assert (spared == 0) == ("moved" in what), "the quick way was taken"


def test_what_no_other_layer_has_is_not_looked_at(tmp_path: Path) -> None:
    private_mounts()
    layer = labelled_tree(tmp_path)
    os.setxattr(layer / "usr/share/doc/c", "security.selinux", b"a:b:kept_t:s0\0")
    found, _ = relabelled(tmp_path / "quick", layer, [], whole=False)
    assert found["usr/share/doc/c"] == b"a:b:kept_t:s0\0"
