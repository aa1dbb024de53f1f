"""Checks on the rpm database of the image."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from specs.kind import Check, GuestPath, Names


class PackageInstalled(Check):
    """Each package is installed; "a|b": either of them."""

    kind: Literal["package_installed"] = "package_installed"
    names: Names


class PackageAbsent(Check):
    """None of these packages is installed; globs stand for many."""

    kind: Literal["package_absent"] = "package_absent"
    names: Names


class PackagesSigned(Check):
    """Every package carries the signature it was verified by, imported keys apart."""

    kind: Literal["packages_signed"] = "packages_signed"


class PackagesRecorded(Check):
    """`rpm -qa` lists exactly what build.json lists."""

    kind: Literal["packages_recorded"] = "packages_recorded"


class RpmDatabase(Check):
    """The only rpm database is where the release's own rpm looks, by os-release's VERSION_ID."""

    kind: Literal["rpm_database"] = "rpm_database"
    places: dict[str, GuestPath] = Field(min_length=1)
