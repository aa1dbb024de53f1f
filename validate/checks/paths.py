"""Proofs on what is there: absent, empty, exact content, present, rights, links."""

from __future__ import annotations

import stat

from specs.globs import compiled
from specs.kinds.paths import (
    Absent,
    Attributes,
    EmptyFile,
    FileContent,
    Present,
    SetuidWithin,
    Symlink,
    WorldWritable,
)
from validate.listing import Node
from validate.registry import Finding, proves, verdict
from validate.view import View


@proves(Absent)
def absent(check: Absent, view: View) -> Finding:
    """Find nothing that matches."""
    there = [entry.path for pattern in check.paths for entry in view.tree.find(pattern)
             if not _of_file_system(entry, view)]
    return verdict(sorted(set(there)), "nothing", "nothing at " + ", ".join(check.paths))


@proves(EmptyFile)
def empty_file(check: EmptyFile, view: View) -> Finding:
    """Find regular files of no length."""
    wrong = []
    for path in check.paths:
        entry = view.tree.get(path)
        if entry is None:
            wrong.append(f"{path} is not there")
        elif not entry.is_file:
            wrong.append(f"{path} is not a regular file")
        elif entry.size_bytes:
            wrong.append(f"{path} has {entry.size_bytes} bytes")
    return verdict(wrong, "there and empty", "empty files: " + ", ".join(check.paths))


@proves(FileContent)
def file_content(check: FileContent, view: View) -> Finding:
    """Compare a file's text as a whole."""
    entry = view.tree.get(check.path)
    if entry is None or not entry.is_file:
        return Finding(False, f"{check.path} is not a regular file", check.equals)
    text = view.text(check.path)
    if check.mode is not None and entry.permissions != check.mode:
        return Finding(False, f"mode {entry.permissions}", f"mode {check.mode}")
    return Finding(text == check.equals, text or "", check.equals)


@proves(Present)
def present(check: Present, view: View) -> Finding:
    """Find a regular file of some size for every pattern."""
    wrong, good = [], []
    for pattern in check.paths:
        ends = [end for one in view.tree.find(pattern) if (end := view.follow(one)) is not None]
        # A path that leads over a linked folder is no pattern, but is there all the same.
        ends = ends or [end for end in [view.tree.resolve(pattern)] if end is not None]
        files = [end for end in ends if end.is_file and end.size_bytes >= check.min_bytes]
        if files:
            good.append(f"{pattern}: {files[0].size_bytes} bytes")
        else:
            sizes = ", ".join(f"{end.size_bytes} bytes" for end in ends) or "not there"
            wrong.append(f"{pattern}: {sizes}")
    return verdict(wrong, "; ".join(good), f"files of at least {check.min_bytes} bytes")


@proves(Attributes)
def attributes(check: Attributes, view: View) -> Finding:
    """Compare the mode and owner of all that matches."""
    matches = [entry for pattern in check.paths for entry in view.tree.find(pattern)]
    entries = [end for one in matches if (end := view.follow(one)) is not None]
    wrong = [
        f"{one.path}: {one.permissions} {one.uid}:{one.gid}" for one in entries
        if one.permissions not in check.modes or one.uid != check.uid or one.gid not in check.gids
    ]
    groups = "|".join(map(str, check.gids))
    expected = f"mode {'|'.join(check.modes)}, owner {check.uid}:{groups}"
    if not entries:
        return Finding(None, "nothing matches", expected)
    return verdict(wrong, f"{len(entries)} of {len(entries)} right", expected)


@proves(Symlink)
def symlink(check: Symlink, view: View) -> Finding:
    """Follow a link inside the image to its end."""
    expected = "a link to " + " or ".join(check.targets)
    entry = view.tree.get(check.path)
    if entry is None or not entry.is_link:
        return Finding(False, "no link there" if entry is None else "not a link", expected)
    end = view.tree.resolve(check.path)
    # The targets may be links to each other (UTC, Etc/UTC), so they are followed as well.
    ends = {there.path for path in check.targets if (there := view.tree.resolve(path))}
    found = end.path if end else f"{entry.target}, which is not there"
    return Finding(end is not None and end.path in ends, found, expected)


@proves(WorldWritable)
def world_writable(check: WorldWritable, view: View) -> Finding:
    """Look for the w of "others" on files, and on folders without the sticky bit."""
    wrong = [
        f"{entry.path} ({entry.permissions})" for entry in view.tree
        if entry.mode & stat.S_IWOTH and (entry.is_file or entry.is_folder)
        and not (entry.is_folder and entry.mode & stat.S_ISVTX)
        and not _allowed(entry, check.allow)
    ]
    return verdict(wrong, "none", "no file or folder that everybody may write")


@proves(SetuidWithin)
def setuid_within(check: SetuidWithin, view: View) -> Finding:
    """Look for setuid and setgid files outside the list."""
    special = [
        entry for entry in view.tree
        if entry.is_file and entry.mode & (stat.S_ISUID | stat.S_ISGID)
    ]
    wrong = [
        f"{entry.path} ({entry.permissions})" for entry in special
        if not _allowed(entry, check.allow)
    ]
    return verdict(wrong, f"{len(special)}, all known", "setuid programs of the list only")


def _allowed(entry: Node, allow: tuple[str, ...] | list[str]) -> bool:
    return any(compiled(pattern).match(entry.path) for pattern in allow)


def _of_file_system(entry: Node, view: View) -> bool:
    """Say whether it is the empty lost+found that an ext file system has at its top (mke2fs(8))."""
    folder, _, name = entry.path.rpartition("/")
    mounted = view.disk.mounted.get(folder or "/") if view.disk else None
    return (name == "lost+found" and entry.is_folder and mounted is not None
            and mounted.type.startswith("ext") and not view.tree.children(entry.path))
