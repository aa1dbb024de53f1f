"""Proofs on the image's rpm database."""

from __future__ import annotations

from collections.abc import Iterable

from images.record import BuildRecord
from specs.globs import compiled
from specs.kinds.packages import (
    PackageAbsent,
    PackageInstalled,
    PackagesRecorded,
    PackagesSigned,
    RpmDatabase,
)
from validate.registry import Finding, proves, verdict
from validate.view import View


@proves(PackageInstalled)
def package_installed(check: PackageInstalled, view: View) -> Finding:
    """Look for names."""
    names = {one.name for one in view.packages}
    wrong = [
        f"{wanted} is not installed" for wanted in check.names if not names & {*wanted.split("|")}
    ]
    return verdict(wrong, "all installed", ", ".join(check.names))


@proves(PackageAbsent)
def package_absent(check: PackageAbsent, view: View) -> Finding:
    """Look for no name; a glob stands for many."""
    wrong = sorted(one.nevra for one in view.packages
                   if any(compiled(f"/{name}").match(f"/{one.name}") for name in check.names))
    return verdict(wrong, "none installed", "none of " + ", ".join(check.names))


@proves(PackagesSigned)
def packages_signed(check: PackagesSigned, view: View) -> Finding:
    """Look for a signature in every header; dnf verified it when it was installed."""
    packages = [one for one in view.packages if not one.is_key]
    wrong = [one.nevra for one in packages if not one.signed]
    return verdict(wrong, f"{len(packages)} packages, all signed", "a signature in each package")


@proves(PackagesRecorded)
def packages_recorded(check: PackagesRecorded, view: View) -> Finding:
    """Compare the database with build.json."""
    if view.record is None:
        return Finding(None, "no build.json was given", "the packages of build.json")
    return compare(view.record, (one.nevra for one in view.packages))


def compare(record: BuildRecord, installed: Iterable[str]) -> Finding:
    """Compare names as `rpm -qa` prints them with build.json's.

    Keys are left out on both sides: they are trust, not content, and builds may import none.
    """
    there = {name for name in installed if not name.startswith("gpg-pubkey-")}
    listed = {one.nevra for one in record.packages if one.name != "gpg-pubkey"}
    wrong = [f"not installed: {name}" for name in sorted(listed - there)]
    wrong += [f"not in build.json: {name}" for name in sorted(there - listed)]
    return verdict(wrong, f"the same {len(there)} packages", "the packages of build.json")


@proves(RpmDatabase)
def rpm_database(check: RpmDatabase, view: View) -> Finding:
    """Find one database, at the place of the release."""
    version = view.os_release.get("VERSION_ID", "").split(".")[0]
    place = check.places.get(version)
    if place is None:
        return Finding(False, f"VERSION_ID={version}", "one of " + ", ".join(check.places))
    expected = f"a database in {place} and nowhere else"
    folder = view.tree.resolve(place)
    if folder is None or view.rpm_folders != [folder.path]:
        return Finding(False, ", ".join(view.rpm_folders) or "no database", expected)
    count = len(view.packages)
    return Finding(count > 0, f"{count} packages in {folder.path}", expected)
