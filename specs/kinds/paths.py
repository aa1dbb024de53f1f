"""Checks on what is there: paths, their kind, mode and owner. Three of them can be sealed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from specs.kind import Check, GuestGlob, GuestPath, Mode


class Absent(Check):
    """Nothing matches. Sealing removes every match, folders with all that is in them.

    The empty lost+found of an ext file system that is mounted there is none.
    """

    sealable: ClassVar[bool] = True
    kind: Literal["absent"] = "absent"
    paths: list[GuestGlob] = Field(min_length=1)


class EmptyFile(Check):
    """Each is a regular file without content. Sealing truncates it, or creates it (0644)."""

    sealable: ClassVar[bool] = True
    kind: Literal["empty_file"] = "empty_file"
    paths: list[GuestPath] = Field(min_length=1)


class FileContent(Check):
    """The file holds exactly this text. Sealing writes it.

    mode: that it must have; without it an existing mode stays, and a new file gets 0644.
    """

    sealable: ClassVar[bool] = True
    kind: Literal["file_content"] = "file_content"
    path: GuestPath
    equals: str
    mode: Mode | None = None


class Present(Check):
    """Each pattern matches a regular file of at least `min_bytes`, links followed."""

    kind: Literal["present"] = "present"
    paths: list[GuestGlob] = Field(min_length=1)
    min_bytes: Annotated[int, Field(ge=0)] = 1


class Attributes(Check):
    """What matches has one of these modes and this owner; a pattern without a match is fine."""

    kind: Literal["attributes"] = "attributes"
    paths: list[GuestGlob] = Field(min_length=1)
    modes: list[Mode] = Field(min_length=1)
    uid: Annotated[int, Field(ge=0)] = 0
    gids: tuple[Annotated[int, Field(ge=0)], ...] = (0,)


class Symlink(Check):
    """The path is a symbolic link whose end, followed inside the image, is one of these."""

    kind: Literal["symlink"] = "symlink"
    path: GuestPath
    targets: list[GuestPath] = Field(min_length=1)


class WorldWritable(Check):
    """Nothing but the allowed paths and sticky folders can be written by everybody."""

    kind: Literal["world_writable"] = "world_writable"
    allow: tuple[GuestGlob, ...] = ()


class SetuidWithin(Check):
    """Only these files run with another user's or group's rights."""

    kind: Literal["setuid_within"] = "setuid_within"
    allow: list[GuestGlob]
