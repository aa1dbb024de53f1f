"""Checks on which of systemd's units start, and whether they can."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from specs.kind import Check, Names


class UnitsEnabledWithin(Check):
    """Only these units (globs of names) are enabled in /etc/systemd/system."""

    kind: Literal["units_enabled_within"] = "units_enabled_within"
    allow: Names


class UnitsMaskedWithin(Check):
    """Only these units are masked."""

    kind: Literal["units_masked_within"] = "units_masked_within"
    allow: list[str]


class UnitUnmasked(Check):
    """None of these units is masked; one that is not there is fine."""

    kind: Literal["unit_unmasked"] = "unit_unmasked"
    units: Names


class UnitMasked(Check):
    """Each of these units does not start: masked, or wanted by nobody, /usr/lib included."""

    kind: Literal["unit_masked"] = "unit_masked"
    units: Names


class UnitsRunnable(Check):
    """The programs of enabled units are there and can be run, and their users exist."""

    kind: Literal["units_runnable"] = "units_runnable"
    allow: tuple[str, ...] = Field(default=())
