"""Proofs on units, accounts and SELinux labels."""

from __future__ import annotations

from host.patterns import number
from specs.globs import compiled
from specs.kinds.system import Accounts, PasswordsLocked, SelinuxLabels, UnitEnabled, UnitOff
from validate.registry import Finding, proves, verdict
from validate.view import View

_UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


@proves(UnitEnabled)
def unit_enabled(check: UnitEnabled, view: View) -> Finding:
    """Look for what `systemctl enable` leaves, or a package's own link."""
    wrong, good = [], []
    for wanted in check.units:
        ways = [wanted_by(view, unit) for unit in wanted.split("|")]
        if way := next((one for one in ways if one), None):
            good.append(way)
        else:
            wrong.append(f"{wanted} is not enabled")
    return verdict(wrong, f"{len(good)} enabled", "enabled: " + ", ".join(check.units))


@proves(UnitOff)
def unit_off(check: UnitOff, view: View) -> Finding:
    """Look for no such link."""
    ways = [(unit, wanted_by(view, unit)) for unit in check.units]
    wrong = [f"{unit}: {way}" for unit, way in ways if way]
    return verdict(wrong, "none enabled", "off: " + ", ".join(check.units))


def wanted_by(view: View, unit: str) -> str | None:
    """Return the link by which a unit starts, or None; a masked or missing unit never does."""
    if not any(is_real(view, f"{folder}/{unit}") for folder in _UNIT_FOLDERS):
        return None
    if is_masked(view, unit):
        return None
    for folder in _UNIT_FOLDERS:
        for kind in ("wants", "requires", "upholds"):
            if found := view.tree.find(f"{folder}/*.{kind}/{unit}"):
                return found[0].path
    return None


def is_real(view: View, path: str) -> bool:
    """Tell whether a unit file is there and says anything."""
    end = view.tree.resolve(path)
    return end is not None and end.is_file and end.size_bytes > 0


def is_masked(view: View, unit: str) -> bool:
    """Tell whether a unit is masked: a link to /dev/null, or an empty file."""
    entry = view.tree.get(f"/etc/systemd/system/{unit}")
    if entry is None:
        return False
    return entry.target == "/dev/null" or (entry.is_file and entry.size_bytes == 0)


@proves(PasswordsLocked)
def passwords_locked(check: PasswordsLocked, view: View) -> Finding:
    """Read the second field of shadow(5): only `*`, `!`… can never match a password."""
    expected = "! or * in the second field of every line of /etc/shadow"
    text = view.text("/etc/shadow")
    if text is None:
        return Finding(False, "/etc/shadow is not there", expected)
    wrong, users = [], []
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        password = rest.partition(":")[0]
        users.append(name)
        if not password.startswith(("!", "*")):
            wrong.append(f"{name} has {'a password' if password else 'an empty password'}")
    passwd = [line.split(":") for line in (view.text("/etc/passwd") or "").splitlines()]
    wrong += [
        f"{fields[0]} has a password in /etc/passwd" for fields in passwd
        if len(fields) > 1 and fields[1] not in ("x", "*") and not fields[1].startswith("!")
    ]
    if "root" not in users:
        wrong.append("root has no line")
    return verdict(wrong, f"{len(users)} accounts, all locked", expected)


@proves(Accounts)
def accounts(check: Accounts, view: View) -> Finding:
    """Read the user numbers of passwd(5)."""
    expected = "user number 0 for root alone, and nobody's between " \
        f"{check.first_person_uid} and {check.last_person_uid}"
    lines = (view.text("/etc/passwd") or "").splitlines()
    users = [line.split(":") for line in lines if line.count(":") >= 6]
    numbers = {fields[0]: uid for fields in users if (uid := number(fields[2])) is not None}
    wrong = [f"{name} has number 0" for name, uid in numbers.items() if not uid and name != "root"]
    wrong += [
        f"{name} ({uid}) is there already" for name, uid in numbers.items()
        if check.first_person_uid <= uid <= check.last_person_uid
    ]
    wrong += [f"{fields[0]} has no number" for fields in users if number(fields[2]) is None]
    if numbers.get("root") != 0:
        wrong.append("root does not have number 0")
    return verdict(wrong, f"{len(numbers)} accounts of the system's", expected)


@proves(SelinuxLabels)
def selinux_labels(check: SelinuxLabels, view: View) -> Finding:
    """Compare labels, and look for files without one."""
    wrong = []
    for path, types in check.types.items():
        entry = view.tree.resolve(path)
        if entry is None:
            wrong.append(f"{path} is not there")
        elif entry.selinux_type not in types.split("|"):
            wrong.append(f"{path} has {entry.label or 'no label'}, not {types}")
    unlabelled = [
        entry.path for entry in view.tree
        if not entry.selinux_type or entry.selinux_type == "unlabeled_t"
        if not any(compiled(pattern).match(entry.path) for pattern in check.unlabelled_ok)
    ]
    if unlabelled:
        wrong.append(f"{len(unlabelled)} without a label: {', '.join(unlabelled[:5])}")
    return verdict(
        wrong, f"{len(view.tree)} files, all labelled", "a label on every file, key types right",
    )
