"""Checks on what the headers of installed packages say: files, keys, origin, licence, closure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from specs.kind import Check, GuestGlob, Names, Regex


class RpmFiles(Check):
    """Every packaged file is as its package has it: type, mode, owner, size, digest, link, caps.

    Configuration files and ghosts are left out. allow: paths that may differ or be missing.
    only: what is compared of all these; empty: everything.
    """

    kind: Literal["rpm_files"] = "rpm_files"
    allow: tuple[GuestGlob, ...] = ()
    only: tuple[Literal["mode", "owner", "content", "link", "missing"], ...] = ()
    below: tuple[GuestGlob, ...] = ()


class RpmConfig(Check):
    """Configuration files are as packaged, but for these."""

    kind: Literal["rpm_config"] = "rpm_config"
    allow: tuple[GuestGlob, ...] = ()


class RpmSetuid(Check):
    """Whatever runs with another's rights has these rights from its package."""

    kind: Literal["rpm_setuid"] = "rpm_setuid"


class FilesOwned(Check):
    """Every file below these folders belongs to a package, or is one of these."""

    kind: Literal["files_owned"] = "files_owned"
    below: tuple[GuestGlob, ...] = Field(min_length=1)
    allow: tuple[GuestGlob, ...] = ()


class PackagesSignedBy(Check):
    """Every package is signed by one of these keys: the last 16 digits of their fingerprints.

    keys: by the major version of the release.
    """

    kind: Literal["packages_signed_by"] = "packages_signed_by"
    keys: dict[str, list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]] = Field(min_length=1)


class PackagesOneKey(Check):
    """One key signed every package, whichever it is."""

    kind: Literal["packages_one_key"] = "packages_one_key"


class Keyring(Check):
    """rpm trusts these keys and no others; none imported is fine, dnf asks for it then."""

    kind: Literal["keyring"] = "keyring"
    keys: dict[str, list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]] = Field(min_length=1)


class PackageOrigin(Check):
    """Vendor and build host of every package are these, from end to end."""

    kind: Literal["package_origin"] = "package_origin"
    vendors: tuple[Regex, ...] = ()
    build_hosts: tuple[Regex, ...] = ()


class PackageRepositories(Check):
    """build.json names for every package one of these repositories."""

    kind: Literal["package_repositories"] = "package_repositories"
    repositories: Names


class PackageClosure(Check):
    """What each package requires is provided by another or by a file; none conflicts."""

    kind: Literal["package_closure"] = "package_closure"
    conflicts: bool = False


class PackageSingle(Check):
    """One version of each package; names: of these alone. except: may have several."""

    kind: Literal["package_single"] = "package_single"
    names: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()


class PackageArches(Check):
    """Packages are of the image's architecture or of none."""

    kind: Literal["package_arches"] = "package_arches"


class PackageLicences(Check):
    """Every name in each package's licence is on a list of specs/data/.

    Operators, brackets and exceptions (AND, OR, WITH) are SPDX's, or the words of Callaway's list.
    """

    kind: Literal["package_licences"] = "package_licences"
    allow: str
    exceptions: tuple[str, ...] = ()


class LicenceTexts(Check):
    """The licence files that packages have (%license) are there."""

    kind: Literal["licence_texts"] = "licence_texts"


class PackageVersion(Check):
    """These packages, if installed, are at least of this version, as rpm compares."""

    kind: Literal["package_version"] = "package_version"
    minimum: dict[str, str] = Field(min_length=1)


class PackageCount(Check):
    """At most so many packages are installed."""

    kind: Literal["package_count"] = "package_count"
    max: Annotated[int, Field(gt=0)]


class ReleaseAgrees(Check):
    """os-release, the release's package and build.json speak of one version and architecture."""

    kind: Literal["release_agrees"] = "release_agrees"
    package: str


class LocaleInstalled(Check):
    """The language of locale.conf is one that the tree has."""

    kind: Literal["locale_installed"] = "locale_installed"


class Repositories(Check):
    """What dnf is told of repositories.

    enabled: exactly these are enabled. names: each name matches. hosts: each URL's host matches.
    keys: each enabled repository names a key file that is in the tree.
    """

    kind: Literal["repositories"] = "repositories"
    enabled: tuple[str, ...] = ()
    names: Regex | None = None
    hosts: tuple[Regex, ...] = ()
    schemes: tuple[str, ...] = ()
    keys: bool = False
    checked: bool = False
