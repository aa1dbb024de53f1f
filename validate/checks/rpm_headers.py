"""Proofs on keys, origin, licence, version and closure of the installed packages."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from host.patterns import pattern
from specs.globs import compiled
from specs.kinds.rpm import (
    Keyring,
    LocaleInstalled,
    PackageArches,
    PackageClosure,
    PackageCount,
    PackageLicences,
    PackageOrigin,
    PackageRepositories,
    PackageSingle,
    PackagesOneKey,
    PackagesSignedBy,
    PackageVersion,
    ReleaseAgrees,
)
from specs.model import FOLDER
from validate.evr import compare, satisfies
from validate.registry import Finding, proves, verdict
from validate.rpmdb import Installed, Relation
from validate.view import View

_LESS, _GREATER, _EQUAL, _RPMLIB = 2, 4, 8, 1 << 24
_KEY_CAPABILITY = r"^gpg\(([0-9a-f]{16})\)$"


def _packages(view: View) -> list[Installed]:
    return [one for one in view.packages if not one.is_key]


def _keys(view: View, keys: dict[str, list[str]]) -> set[str]:
    return set(keys.get((view.version or "").partition(".")[0], ()))


@proves(PackagesSignedBy)
def packages_signed_by(check: PackagesSignedBy, view: View) -> Finding:
    """Compare the key of each signature."""
    keys = _keys(view, check.keys)
    wrong = [f"{one.nevra}: {one.key_id or 'unsigned'}" for one in _packages(view)
             if one.key_id not in keys]
    return verdict(wrong, f"{len(_packages(view))} packages", "signed by " + ", ".join(keys))


@proves(PackagesOneKey)
def packages_one_key(check: PackagesOneKey, view: View) -> Finding:
    """Look for the key that signed most, and for what it did not sign."""
    counts = Counter(one.key_id for one in _packages(view))
    if not counts:
        return Finding(False, "no packages", "packages of one key")
    most = counts.most_common(1)[0][0]
    wrong = [f"{one.nevra}: {one.key_id or 'unsigned'}" for one in _packages(view)
             if one.key_id != most or not most]
    return verdict(wrong, f"all by {most}", "packages signed by one key")


@proves(Keyring)
def keyring(check: Keyring, view: View) -> Finding:
    """Compare the imported keys, by what they provide, or the end of their id."""
    allowed = _keys(view, check.keys)
    wrong = []
    for one in view.packages:
        if not one.is_key:
            continue
        ids = {match[1] for each in one.provides
               if (match := pattern(_KEY_CAPABILITY).match(each.name))}
        if not (ids & allowed) and one.version not in {key[-8:] for key in allowed}:
            wrong.append(one.nevra)
    return verdict(wrong, "no other keys", "no key but " + ", ".join(sorted(allowed)))


@proves(PackageOrigin)
def package_origin(check: PackageOrigin, view: View) -> Finding:
    """Compare vendor and build host."""
    wrong = []
    for one in _packages(view):
        if check.vendors and not _fits(one.vendor, check.vendors):
            wrong.append(f"{one.nevra}: vendor {one.vendor or 'unknown'}")
        elif check.build_hosts and not _fits(one.build_host, check.build_hosts):
            wrong.append(f"{one.nevra}: built on {one.build_host or 'an unknown host'}")
    return verdict(wrong, "all from there", " or ".join([*check.vendors, *check.build_hosts]))


def _fits(text: str, expressions: Iterable[str]) -> bool:
    return any(pattern(each).fullmatch(text) for each in expressions)


@proves(PackageRepositories)
def package_repositories(check: PackageRepositories, view: View) -> Finding:
    """Read build.json. What is from elsewhere passes when it is labelled there."""
    expected = f"packages of {', '.join(check.repositories)}, or labelled ones"
    if view.record is None:
        return Finding(None, "no build.json was given", expected)
    labelled = {label.repository for label in view.record.labels}
    wrong = [f"{one.nevra}: {one.repository}" for one in view.record.packages
             if one.name != "gpg-pubkey" and one.repository not in labelled
             and not any(compiled(f"/{each}").match(f"/{one.repository}")
                         for each in check.repositories)]
    return verdict(wrong, "all from there", expected)


@proves(PackageClosure)
def package_closure(check: PackageClosure, view: View) -> Finding:
    """Hold requirements against what is provided, files of packages included."""
    provided: dict[str, list[Relation]] = {}
    for one in _packages(view):
        for each in one.provides:
            provided.setdefault(each.name, []).append(each)
        provided.setdefault(one.name, []).append(Relation(one.name, _EQUAL, one.evr))
    owned = {one.path for package in _packages(view) for one in package.files}
    wrong = []
    for one in _packages(view):
        for each in one.conflicts if check.conflicts else one.requires:
            if each.flags & _RPMLIB or each.name.startswith(("rpmlib(", "config(", "(")):
                continue
            met = any(satisfies(given, each) for given in provided.get(each.name, ()))
            if check.conflicts:
                others = [other for other in _packages(view) if other is not one and any(
                    given.name == each.name and satisfies(given, each)
                    for given in (*other.provides, Relation(other.name, _EQUAL, other.evr)))]
                wrong += [f"{one.nevra} conflicts with {other.nevra}" for other in others]
            elif not met and not (each.name.startswith("/") and _is_there(view, each.name, owned)):
                wrong.append(f"{one.nevra} requires {each.name} {each.version}".rstrip())
    return verdict(wrong, f"{len(_packages(view))} packages", "no conflict" if check.conflicts
                   else "all that packages require")


def _is_there(view: View, path: str, owned: set[str]) -> bool:
    return path in owned or view.tree.resolve(path) is not None


@proves(PackageSingle)
def package_single(check: PackageSingle, view: View) -> Finding:
    """Count versions."""
    versions: dict[str, set[str]] = {}
    for one in _packages(view):
        chosen = not check.names or _named(one.name, check.names)
        if chosen and not _named(one.name, check.exceptions):
            versions.setdefault(f"{one.name}.{one.arch}", set()).add(one.evr)
    wrong = [f"{name}: {', '.join(sorted(each))}" for name, each in sorted(versions.items())
             if len(each) > 1]
    if check.names and not versions:
        wrong.append(f"none of {', '.join(check.names)} is installed")
    return verdict(wrong, "one version of each", "one version of each")


def _named(name: str, globs: Iterable[str]) -> bool:
    return any(compiled(f"/{each}").match(f"/{name}") for each in globs)


@proves(PackageArches)
def package_arches(check: PackageArches, view: View) -> Finding:
    """Compare architectures."""
    wrong = [one.nevra for one in _packages(view) if one.arch not in (view.arch, "noarch")]
    return verdict(wrong, f"{view.arch} and noarch", f"{view.arch} and noarch only")


@proves(PackageLicences)
def package_licences(check: PackageLicences, view: View) -> Finding:
    """Split each expression into names and look them up."""
    allowed = _listed(check.allow)
    wrong = []
    for one in _packages(view):
        if _named(one.name, check.exceptions):
            continue
        strange = [name for name in _licence_names(one.license) if name.lower() not in allowed]
        if strange or not one.license:
            wrong.append(f"{one.name}: {', '.join(strange) or 'no licence'}")
    return verdict(wrong, f"{len(_packages(view))} packages", "licences of " + check.allow)


def _licence_names(text: str) -> list[str]:
    words = pattern(r"\s+(?:AND|OR|WITH|and|or|with)\s+").sub("\n", text.replace("(", "\n")
                                                              .replace(")", "\n"))
    parts = (part.strip() for part in words.split("\n"))
    bare = (pattern(r"^(?:AND|OR|WITH|and|or|with)\s+|\s+(?:AND|OR|WITH|and|or|with)$").sub(
        "", part) for part in parts)
    return [one for one in bare if one and one.lower() not in ("and", "or", "with")]


@cache
def _listed(name: str) -> frozenset[str]:
    lines = (FOLDER / "data" / Path(name).name).read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip().lower() for line in lines
                     if line.strip() and not line.startswith("#"))


@proves(PackageVersion)
def package_version(check: PackageVersion, view: View) -> Finding:
    """Compare versions as rpm does."""
    wrong, seen = [], []
    for one in _packages(view):
        if (minimum := check.minimum.get(one.name)) is not None:
            seen.append(one.nevra)
            if compare(f"{one.epoch}:{one.version}", f"{one.epoch}:{minimum}") < 0:
                wrong.append(f"{one.nevra} is older than {minimum}")
    expected = ", ".join(f"{name} {least}" for name, least in check.minimum.items())
    return verdict(wrong, ", ".join(seen), expected) if seen else Finding(None, "none", expected)


@proves(PackageCount)
def package_count(check: PackageCount, view: View) -> Finding:
    """Count."""
    count = len(_packages(view))
    return Finding(count <= check.max, f"{count} packages", f"at most {check.max} packages")


@proves(ReleaseAgrees)
def release_agrees(check: ReleaseAgrees, view: View) -> Finding:
    """Compare the places that name the version."""
    major = view.os_release.get("VERSION_ID", "").partition(".")[0]
    package = next((one for one in _packages(view) if one.name == check.package), None)
    wrong = []
    if package is None:
        wrong.append(f"{check.package} is not installed")
    elif package.version.partition(".")[0] != major:
        wrong.append(f"{package.nevra}, but VERSION_ID={major}")
    if view.record is not None and view.record.version.partition(".")[0] != major:
        wrong.append(f"build.json says {view.record.version}, VERSION_ID={major}")
    if view.record is not None and view.arch not in ("unknown", view.record.arch):
        wrong.append(f"build.json says {view.record.arch}, programs are for {view.arch}")
    return verdict(wrong, f"version {major}", "one version everywhere")


@proves(LocaleInstalled)
def locale_installed(check: LocaleInstalled, view: View) -> Finding:
    """Look for the locale's folder, or for an archive that may hold it."""
    text = view.text("/etc/locale.conf")
    if text is None:
        return Finding(None, "no /etc/locale.conf", "an installed language")
    lines = (line.partition("=") for line in text.splitlines())
    language = next((value.strip().strip("\"'") for key, _, value in lines
                     if key.strip() == "LANG"), "C.UTF-8")
    if language in ("C", "POSIX"):
        return Finding(True, language, "an installed language")
    name, _, charset = language.partition(".")
    folder = f"/usr/lib/locale/{name}.{charset.lower().replace('-', '')}"
    there = [path for path in (folder, f"/usr/lib/locale/{language}",
                               "/usr/lib/locale/locale-archive")
             if view.tree.resolve(path) is not None]
    return Finding(bool(there), there[0] if there else f"no {posixpath.basename(folder)}",
                   f"the language {language} is installed")
