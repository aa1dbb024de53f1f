"""Proofs that walk over every file of the tree."""

from __future__ import annotations

import stat
from collections.abc import Sequence

from specs.globs import compiled
from specs.kinds.walk import (
    BrokenLinks,
    CapabilitiesWithin,
    GroupWritable,
    SelinuxContexts,
    SpecialFiles,
    StickyFolders,
    TimesUntil,
    TreeSize,
    XattrsWithin,
)
from validate.file_contexts import Contexts
from validate.registry import Finding, proves, verdict
from validate.view import View
from validate.xattrs import CAPABILITY, capabilities

_CONTEXTS = "/etc/selinux/targeted/contexts/files"


def _among(path: str, globs: Sequence[str]) -> bool:
    return any(compiled(glob).match(path) for glob in globs)


@proves(GroupWritable)
def group_writable(check: GroupWritable, view: View) -> Finding:
    """Look for the w of the group."""
    wrong = [f"{one.path} ({one.permissions})" for one in view.tree
             if one.mode & stat.S_IWGRP and (one.is_file or one.is_folder)
             and _among(one.path, check.below) and not _among(one.path, check.allow)]
    return verdict(wrong, "none", "nothing that a group may write")


@proves(StickyFolders)
def sticky_folders(check: StickyFolders, view: View) -> Finding:
    """Look at folders with the w of others."""
    open_to_all = [one for one in view.tree if one.is_folder and one.mode & stat.S_IWOTH]
    wrong = [f"{one.path} ({one.permissions} {one.uid}:{one.gid})" for one in open_to_all
             if not one.mode & stat.S_ISVTX or one.uid != 0 or not _among(one.path, check.allow)]
    return verdict(wrong, ", ".join(one.path for one in open_to_all),
                   "sticky, root's, of " + ", ".join(check.allow))


@proves(CapabilitiesWithin)
def capabilities_within(check: CapabilitiesWithin, view: View) -> Finding:
    """Read security.capability of every file."""
    wrong, seen = [], 0
    for path, attributes in view.xattrs.items():
        if CAPABILITY not in attributes:
            continue
        seen += 1
        found = capabilities(attributes[CAPABILITY])
        allowed = next((names for glob, names in check.allow.items()
                        if compiled(glob).match(path)), [])
        if extra := sorted((found.permitted | found.inheritable) - set(allowed)):
            wrong.append(f"{path} ({', '.join(extra)})")
    return verdict(wrong, f"{seen}, all known", "capabilities of the list only")


@proves(XattrsWithin)
def xattrs_within(check: XattrsWithin, view: View) -> Finding:
    """Compare names."""
    wrong = [f"{path}: {name}" for path, attributes in view.xattrs.items()
             for name in attributes if name not in check.allow]
    return verdict(wrong, "none but these", ", ".join(check.allow))


@proves(SpecialFiles)
def special_files(check: SpecialFiles, view: View) -> Finding:
    """Look for what is neither file, folder nor link."""
    wrong = [one.path for one in view.tree
             if not (one.is_file or one.is_folder or one.is_link)
             and not _among(one.path, check.allow)]
    return verdict(wrong, "none", "no device, socket or pipe")


@proves(BrokenLinks)
def broken_links(check: BrokenLinks, view: View) -> Finding:
    """Follow every link inside the image."""
    wrong = [f"{one.path} -> {one.target}" for one in view.tree
             if one.is_link and _among(one.path, check.below)
             and not one.target.startswith(("/dev/", "/proc/", "/run/"))
             and "/run/" not in one.target and not _among(one.path, check.allow)
             and view.tree.resolve(one.path) is None]
    return verdict(wrong, "none", "links that lead somewhere")


@proves(TimesUntil)
def times_until(check: TimesUntil, view: View) -> Finding:
    """Compare with the time that build.json gives."""
    if view.record is None:
        return Finding(None, "no build.json was given", "no file newer than the build's time")
    end = view.record.source_date_epoch + check.slack_s
    wrong = [one.path for one in view.tree
             if one.mtime_s > end and not _among(one.path, check.allow)]
    return verdict(wrong, "none newer", f"no time after {end}")


@proves(SelinuxContexts)
def selinux_contexts(check: SelinuxContexts, view: View) -> Finding:
    """Look every path up in the tree's own policy."""
    expected = "the types that file_contexts gives"
    text = view.text(f"{_CONTEXTS}/file_contexts", max_bytes=8 << 20)
    if text is None:
        return Finding(None, "the tree has no file_contexts", expected)
    more = [view.text(f"{_CONTEXTS}/file_contexts.{name}") or ""
            for name in ("homedirs", "local")]
    contexts = Contexts("\n".join([text, *more]),
                        (view.text(f"{_CONTEXTS}/file_contexts.subs_dist") or "") + "\n"
                        + (view.text(f"{_CONTEXTS}/file_contexts.subs") or ""))
    wrong = []
    for one in view.tree:
        if _among(one.path, check.allow):
            continue
        wanted = contexts.type_of(one.path, one.mode)
        if wanted is not None and one.label and one.selinux_type != wanted:
            wrong.append(f"{one.path} has {one.selinux_type}, not {wanted}")
    return verdict(wrong, f"{len(view.tree)} files", expected)


@proves(TreeSize)
def tree_size(check: TreeSize, view: View) -> Finding:
    """Add lengths of regular files."""
    below = check.path.rstrip("/") + "/"
    size = sum(one.size_bytes for one in view.tree if one.is_file and one.path.startswith(below))
    return Finding(size <= check.max_bytes, f"{size} bytes", f"at most {check.max_bytes} bytes")
