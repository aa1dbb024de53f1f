"""Checks on every file of the tree: kinds, attributes, times, links, labels, sizes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from specs.kind import Check, GuestGlob


class GroupWritable(Check):
    """Nothing below these folders can be written by a group, but what is allowed."""

    kind: Literal["group_writable"] = "group_writable"
    below: list[GuestGlob] = Field(min_length=1)
    allow: tuple[GuestGlob, ...] = ()


class StickyFolders(Check):
    """Every folder that everybody may write is root's, sticky, and one of these."""

    kind: Literal["sticky_folders"] = "sticky_folders"
    allow: list[GuestGlob]


class CapabilitiesWithin(Check):
    """Only these files carry capabilities, and only these of them (names without cap_)."""

    kind: Literal["capabilities_within"] = "capabilities_within"
    allow: dict[GuestGlob, list[str]]


class XattrsWithin(Check):
    """Files carry no extended attributes but of these names (SELinux's label is not looked at)."""

    kind: Literal["xattrs_within"] = "xattrs_within"
    allow: list[str]


class SpecialFiles(Check):
    """There is no device, socket or pipe, but what is allowed."""

    kind: Literal["special_files"] = "special_files"
    allow: tuple[GuestGlob, ...] = ()


class BrokenLinks(Check):
    """Every link below these folders has an end; sealing removes those that have none."""

    sealable: ClassVar[bool] = False
    kind: Literal["broken_links"] = "broken_links"
    below: list[GuestGlob] = Field(min_length=1)
    allow: tuple[GuestGlob, ...] = ()


class TimesUntil(Check):
    """No file is newer than the build's reference time, and so much slack."""

    kind: Literal["times_until"] = "times_until"
    slack_s: Annotated[int, Field(ge=0)] = 0
    allow: tuple[GuestGlob, ...] = ()


class SelinuxContexts(Check):
    """Every label has the type that the tree's own file_contexts gives its path.

    allow: paths that may have another, such as what the policy leaves to services.
    """

    kind: Literal["selinux_contexts"] = "selinux_contexts"
    allow: tuple[GuestGlob, ...] = ()


class TreeSize(Check):
    """What lies below a folder takes at most this many bytes, and so many files."""

    kind: Literal["tree_size"] = "tree_size"
    path: str = "/"
    max_bytes: Annotated[int, Field(ge=0)]


class LibrariesFound(Check):
    """Every library that a program or library needs is in the tree (ELF, DT_NEEDED).

    allow: names that come from elsewhere. below: which files are looked at.
    """

    kind: Literal["libraries_found"] = "libraries_found"
    below: list[GuestGlob] = Field(min_length=1)
    allow: tuple[str, ...] = ()
