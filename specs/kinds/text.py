"""Checks on what files say: lines, os-release, YAML settings, sshd's effective settings."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from specs.kind import Check, GuestGlob, GuestPath, Regex


class FileMatches(Check):
    """In every file that matches, each `lines` is found in a line, and no `not_lines` in any.

    Lines that begin with `comment` are passed over. allowed: a line where one of these is found
    is not looked at for `not_lines`. missing_ok: no file need match a pattern.
    """

    kind: Literal["file_matches"] = "file_matches"
    paths: list[GuestGlob] = Field(min_length=1)
    lines: tuple[Regex, ...] = ()
    not_lines: tuple[Regex, ...] = ()
    allowed: tuple[Regex, ...] = ()
    comment: str = "#"
    missing_ok: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.lines and not self.not_lines:
            raise ValueError("file_matches needs lines or not_lines")
        return self


class OsRelease(Check):
    """os-release(5) has these fields, each matching its expression from end to end."""

    kind: Literal["os_release"] = "os_release"
    fields: dict[str, Regex] = Field(min_length=1)


class YamlValue(Check):
    """A YAML file has one of `one_of` at `key` ("a.b.c"), or a list there with `contains`."""

    kind: Literal["yaml_value"] = "yaml_value"
    path: GuestPath
    key: str = Field(pattern=r"^[^.]+(\.[^.]+)*$")
    one_of: tuple[bool | int | str, ...] = ()
    contains: str | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if bool(self.one_of) == (self.contains is not None):
            raise ValueError("yaml_value needs either one_of or contains")
        return self


class SshdSetting(Check):
    """sshd's setting for everybody is one of these, as sshd_config(5) reads it.

    The first value found counts, Include files are read in place, Match blocks are not for
    everybody. default: what holds when no file sets it.
    """

    kind: Literal["sshd_setting"] = "sshd_setting"
    key: str = Field(pattern=r"^[A-Za-z]+$")
    one_of: list[str] = Field(min_length=1)
    default: str
