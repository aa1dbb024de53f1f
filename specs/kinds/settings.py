"""Checks on settings that several files make together: drop-ins, sysctl, cloud-init, sudo."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from specs.kind import Check, GuestGlob, GuestPath, Regex

Scalar = bool | int | str


class IniValue(Check):
    """A key of a file with [sections], the last of its drop-ins that sets it, is one of these.

    paths: from the weakest to the strongest; globs are taken in the order of names.
    section: "" before any section. default: what holds when nothing sets it; None: it must be set.
    """

    kind: Literal["ini_value"] = "ini_value"
    paths: list[GuestGlob] = Field(min_length=1)
    section: str = ""
    key: str
    one_of: list[Regex] = Field(min_length=1)
    default: str | None = None


class IniOnly(Check):
    """A file with [sections] has in this section no keys but these."""

    kind: Literal["ini_only"] = "ini_only"
    path: GuestPath
    section: str
    keys: list[str] = Field(min_length=1)


class SysctlSetting(Check):
    """Kernel settings, as sysctl.d(5) merges them, are these from end to end where they are set."""

    kind: Literal["sysctl_setting"] = "sysctl_setting"
    values: dict[str, Regex] = Field(min_length=1)


class CloudConfig(Check):
    """cloud-init's merged configuration has one of these at a key, a list with these, or nothing.

    contains: names in a list there, for "a|b" either. absent: the key is not there at all.
    lacks: names that a list there does not have. default: what holds without the key.
    """

    kind: Literal["cloud_config"] = "cloud_config"
    key: str = Field(pattern=r"^[^.]+(\.[^.]+)*$")
    one_of: tuple[Scalar, ...] = ()
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    absent: bool = False
    default: Scalar | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if bool(self.one_of) + bool(self.contains) + bool(self.lacks) + self.absent != 1:
            raise ValueError("cloud_config needs one of one_of, contains, lacks and absent")
        return self


class DataSources(Check):
    """The list of data sources, as cloud-init merges it and as ds-identify greps it.

    sources: this list; empty: none is set, and all are tried.
    """

    kind: Literal["data_sources"] = "data_sources"
    sources: tuple[str, ...] = ()


class YamlValid(Check):
    """Every file is a YAML mapping."""

    kind: Literal["yaml_valid"] = "yaml_valid"
    paths: list[GuestGlob] = Field(min_length=1)


class Sudoers(Check):
    """sudo's rules say none of this, in sudoers and all that it includes.

    forbid: words of Defaults or tags. grants: who may do all without a password.
    """

    kind: Literal["sudoers"] = "sudoers"
    forbid: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()


class FileLines(Check):
    """A file has these lines, word for word, and none that matches `without`.

    Sealing takes out what matches, then appends what is missing; no file becomes one (0644).
    """

    sealable: ClassVar[bool] = True
    kind: Literal["file_lines"] = "file_lines"
    path: GuestPath
    lines: tuple[str, ...] = Field(min_length=1)
    without: tuple[Regex, ...] = ()
