"""Proofs on which units start and whether they can."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from specs.globs import compiled
from specs.kinds.units import (
    UnitMasked,
    UnitsEnabledWithin,
    UnitsMaskedWithin,
    UnitsRunnable,
    UnitUnmasked,
)
from validate.checks.accounts import table
from validate.checks.settings import ini
from validate.checks.system import is_masked, is_real, wanted_by
from validate.registry import Finding, proves, verdict
from validate.view import View

_ETC = "/etc/systemd/system"
_FOLDERS = (_ETC, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_WANTS = ("wants", "requires", "upholds")
_UNITS = ("service", "socket", "timer", "target", "path", "mount", "automount", "swap")


def _among(name: str, globs: list[str] | tuple[str, ...]) -> bool:
    return any(compiled(f"/{glob}").match(f"/{name}") for glob in globs)


def _enabled(view: View) -> Iterator[tuple[str, str]]:
    """Yield unit and link of all that an administrator, or a preset, has enabled."""
    for kind in _WANTS:
        for entry in view.tree.find(f"{_ETC}/*.{kind}/*"):
            yield posixpath.basename(entry.path), entry.path


@proves(UnitsEnabledWithin)
def units_enabled_within(check: UnitsEnabledWithin, view: View) -> Finding:
    """Look at the links of `systemctl enable`."""
    found = sorted(set(_enabled(view)))
    wrong = [f"{unit} ({path})" for unit, path in found
             if not _among(unit, check.allow) and is_real_unit(view, unit)]
    return verdict(wrong, f"{len(found)} enabled, all known", "units of the list only")


@proves(UnitsMaskedWithin)
def units_masked_within(check: UnitsMaskedWithin, view: View) -> Finding:
    """Look for links to /dev/null and empty files."""
    masked = [posixpath.basename(one.path) for one in view.tree.find(f"{_ETC}/*")
              if one.path.rpartition(".")[2] in _UNITS
              and is_masked(view, posixpath.basename(one.path))]
    wrong = [unit for unit in masked if not _among(unit, check.allow)]
    return verdict(wrong, f"{len(masked)} masked, all known", "masks of the list only")


@proves(UnitUnmasked)
def unit_unmasked(check: UnitUnmasked, view: View) -> Finding:
    """Look for no mask."""
    wrong = [unit for unit in check.units if is_masked(view, unit)]
    return verdict(wrong, "none masked", "not masked: " + ", ".join(check.units))


@proves(UnitMasked)
def unit_masked(check: UnitMasked, view: View) -> Finding:
    """Look for a mask, or for no link at all that would start it."""
    wrong = [f"{unit}: {way}" for unit in check.units if (way := wanted_by(view, unit))]
    return verdict(wrong, "none starts", "does not start: " + ", ".join(check.units))


@proves(UnitsRunnable)
def units_runnable(check: UnitsRunnable, view: View) -> Finding:
    """Read each enabled service: its programs, users and environment files."""
    users = {one[0] for one in table(view, "/etc/passwd", 7)}
    wrong, seen = [], 0
    for unit, link in sorted(set(_enabled(view))):
        path = _unit_file(view, unit)
        if path is None:
            end = view.tree.resolve(link)
            if end is None and not is_masked(view, unit) and not _among(unit, check.allow):
                wrong.append(f"{unit}: {link} leads nowhere")
            continue
        if not unit.endswith(".service"):
            continue
        seen += 1
        wrong += [f"{unit}: {fault}" for fault in _faults(view, path, users)]
    return verdict(wrong, f"{seen} services can start", "programs and users of all services")


def _unit_file(view: View, unit: str) -> str | None:
    """Return the file of a unit, of its template for an instance; None: there is none."""
    names = [unit]
    if "@" in unit:
        name, _, rest = unit.partition("@")
        names.append(f"{name}@.{rest.rpartition('.')[2]}")
    for folder in _FOLDERS:
        for name in names:
            if is_real(view, f"{folder}/{name}"):
                return f"{folder}/{name}"
    return None


def is_real_unit(view: View, unit: str) -> bool:
    """Tell whether there is a unit file that could start."""
    return _unit_file(view, unit) is not None


def _faults(view: View, path: str, users: set[str]) -> Iterator[str]:
    for section, key, value in ini(view, path):
        if section != "Service":
            continue
        if key in ("ExecStart", "ExecStartPre", "ExecStartPost"):
            words = value.lstrip("@-:+!").split()
            if value.startswith("-") or not words or not words[0].startswith("/"):
                continue
            end = view.tree.resolve(words[0])
            if end is None:
                yield f"{words[0]} is not there"
            elif not end.is_file or not end.mode & 0o111:
                yield f"{words[0]} can't be run"
        elif key == "User" and "%" not in value and value not in users and not value.isdigit() \
                and ("Service", "DynamicUser", "yes") not in list(ini(view, path)):
            yield f"user {value} is not there"
        elif key == "EnvironmentFile" and value.startswith("/") and "%" not in value \
                and not set(value) & set("*?[") and view.tree.resolve(value) is None:
            yield f"{value} is not there"
