"""Proofs on accounts, owners and homes."""

from __future__ import annotations

import posixpath
from collections import Counter

from host.patterns import number, pattern
from specs.globs import compiled
from specs.kinds.accounts import (
    AccountIds,
    AccountsConsistent,
    AccountShells,
    AccountsPeople,
    HomeFiles,
    NoSecrets,
    OwnersKnown,
)
from validate.registry import Finding, proves, verdict
from validate.view import TEXT_BYTES_MAX, View

_SECRET = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bAIza[0-9A-Za-z_-]{35}\b",
    r"\bAccountKey=[A-Za-z0-9+/=]{60,}",
    r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
)
"""PEM keys, AWS's, Google's and Azure's keys, JSON web tokens, GitHub's tokens."""
_SETTING = r"(?i)^\s*['\"]?(password|passwd|secret_key|secretkey|api_?key|token)['\"]?\s*[:=]\s*" \
    r"['\"]?[^\s'\"#$<{%*]{6,}['\"]?\s*$"
_SECRET_BYTES_MAX = 256 << 10


def table(view: View, path: str, fields: int) -> list[list[str]]:
    """Return the lines of an account file that have at least so many fields."""
    lines = (view.text(path) or "").splitlines()
    return [line.split(":") for line in lines if line.count(":") >= fields - 1]


@proves(AccountsConsistent)
def accounts_consistent(check: AccountsConsistent, view: View) -> Finding:
    """Hold the four files against each other, as pwck and grpck do."""
    users, groups = table(view, "/etc/passwd", 7), table(view, "/etc/group", 4)
    shadow = {one[0] for one in table(view, "/etc/shadow", 2)}
    names, gids = [one[0] for one in users], {one[2] for one in groups}
    wrong = [f"{name} is in {path} twice" for path, each in (
        ("passwd", names), ("group", [one[0] for one in groups]))
        for name, count in Counter(each).items() if count > 1]
    wrong += [f"number {uid} is used twice" for uid, count in
              Counter(one[2] for one in users).items() if count > 1]
    wrong += [f"group number {gid} is used twice" for gid, count in
              Counter(one[2] for one in groups).items() if count > 1]
    wrong += [f"{one[0]}: its group {one[3]} is not there" for one in users if one[3] not in gids]
    wrong += [f"{name} has no line in shadow" for name in names if name not in shadow]
    wrong += [f"{name} is in shadow alone" for name in shadow - set(names)]
    for path, fields in (("/etc/passwd", 7), ("/etc/group", 4)):
        wrong += [f"{path}: {line}" for line in (view.text(path) or "").splitlines()
                  if line.count(":") != fields - 1]
    return verdict(wrong, f"{len(users)} accounts, {len(groups)} groups", "files that agree")


@proves(AccountShells)
def account_shells(check: AccountShells, view: View) -> Finding:
    """Look at the last field."""
    wrong = [
        f"{one[0]} has {one[6]}" for one in table(view, "/etc/passwd", 7)
        if (uid := number(one[2])) is not None and uid < check.first_person_uid
        and one[0] not in check.others and posixpath.basename(one[6]) not in check.shells
    ]
    return verdict(wrong, "no shell for the system's accounts", ", ".join(check.shells))


@proves(AccountIds)
def account_ids(check: AccountIds, view: View) -> Finding:
    """Compare numbers."""
    there = {one[0]: one[2] for one in table(view, "/etc/passwd", 7)}
    wrong = [f"{name} is {there[name]}" for name, uid in check.ids.items()
             if name in there and there[name] != str(uid)]
    wrong += [] if "root" in there else ["root is not there"]
    expected = ", ".join(f"{name}={uid}" for name, uid in check.ids.items())
    return verdict(wrong, "these numbers", expected)


@proves(AccountsPeople)
def accounts_people(check: AccountsPeople, view: View) -> Finding:
    """Look at accounts with numbers of people."""
    people = [one for one in table(view, "/etc/passwd", 7)
              if (uid := number(one[2])) is not None and 1000 <= uid <= 60000]
    wrong = [f"{one[0]} ({one[2]}, {one[6]})" for one in people
             if (one[0], one[2], one[6]) != (check.name, str(check.uid), check.shell)]
    if not any(one[0] == check.name for one in people):
        wrong.append(f"{check.name} is not there")
    return verdict(wrong, check.name, f"{check.name} ({check.uid}, {check.shell}) alone")


@proves(OwnersKnown)
def owners_known(check: OwnersKnown, view: View) -> Finding:
    """Look every owner up."""
    users = {number(one[2]) for one in table(view, "/etc/passwd", 7)}
    groups = {number(one[2]) for one in table(view, "/etc/group", 4)}
    wrong = [f"{one.path} ({one.uid}:{one.gid})" for one in view.tree
             if one.uid not in users or one.gid not in groups
             or (check.max is not None and max(one.uid, one.gid) > check.max)]
    return verdict(wrong, f"{len(view.tree)} files", "owners that have names")


@proves(HomeFiles)
def home_files(check: HomeFiles, view: View) -> Finding:
    """Look into every home of passwd, the root folder apart."""
    homes = {one[5].rstrip("/") for one in table(view, "/etc/passwd", 7)} | {"/root", "/etc/skel"}
    wrong = []
    for home in sorted(homes):
        if not home.startswith("/") or set(home) & set("*?[") or home in check.homes_without:
            continue
        for glob in check.absent:
            try:
                wrong += [one.path for one in view.tree.find(f"{home}/{glob}")]
            except ValueError:
                continue
    return verdict(sorted(set(wrong)), f"{len(homes)} homes", "nothing of "
                   + ", ".join(check.absent))


@proves(NoSecrets)
def no_secrets(check: NoSecrets, view: View) -> Finding:
    """Read small files that are of no package, or are configuration."""
    folders = [compiled(each) for each in check.below]
    allowed = [compiled(each) for each in check.allow]
    intact = _unchangeable(view)
    wrong, seen = [], 0
    for entry in view.tree:
        if not entry.is_file or not 0 < entry.size_bytes <= min(_SECRET_BYTES_MAX, TEXT_BYTES_MAX):
            continue
        path = entry.path
        if path in intact or not any(each.match(path) for each in folders) \
                or any(each.match(path) for each in allowed):
            continue
        seen += 1
        text = view.read(path, _SECRET_BYTES_MAX).decode(errors="replace")
        if any(pattern(each).search(text) for each in _SECRET):
            wrong.append(f"{path} holds a key")
        elif any(pattern(_SETTING).match(line[:512]) for line in text.splitlines()
                 if not line.lstrip().startswith("#")):
            wrong.append(f"{path} holds a password")
    return verdict(wrong, f"{seen} files", "no keys and passwords")


def _unchangeable(view: View) -> set[str]:
    """Return paths that are packaged and no configuration: rpm_files compares those."""
    if not view.rpm_folders:
        return set()
    return {one.path for package in view.packages for one in package.files if not one.flags & 1}
