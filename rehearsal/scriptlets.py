"""The scriptlets that a package's table entry asks for: users, groups, units, and its own."""

from __future__ import annotations

from rehearsal.model import Script
from rehearsal.table import Entry


def scripts_of(entry: Entry) -> dict[str, Script]:
    """Return the scriptlets of an entry by phase: pre, post, preun, postun, posttrans.

    An entry's own script may begin with `#!<lua>` or the path of another interpreter.
    """
    parts: dict[str, list[str]] = {}
    accounts = [_group(line) for line in entry.groups] + [_user(line) for line in entry.users]
    if accounts:
        parts.setdefault("pre", []).extend([*accounts, ":"])
    if entry.units:
        units = " ".join(entry.units)
        # What CentOS's %systemd_post, %systemd_preun and %systemd_postun do.
        parts["post"] = [f'[ "$1" -ne 1 ] || systemctl --no-reload preset {units} || :']
        parts["preun"] = [
            f'[ "$1" -ne 0 ] || systemctl --no-reload disable --now {units} >/dev/null 2>&1 || :']
    for phase, body in entry.scripts.items():
        parts.setdefault(phase, []).append(body.rstrip())
    scripts = {}
    for phase, lines in parts.items():
        body = "\n".join(lines) + "\n"
        if body.startswith("#!"):
            head, _, body = body.partition("\n")
            scripts[phase] = Script(body, tuple(head[2:].split()))
        else:
            scripts[phase] = Script(body)
    return scripts


def needs(entry: Entry) -> list[tuple[str, str]]:
    """Return what the scriptlets need, with the phase they need it in."""
    found = []
    if entry.users or entry.groups:
        found += [("shadow-utils", "pre"), ("glibc-common", "pre")]
    if entry.units:
        found += [("systemd", "post"), ("systemd", "preun")]
    for phase, script in scripts_of(entry).items():
        if phase in ("pre", "post", "preun", "postun") and script.interpreter == ("/bin/sh",):
            found.append(("/bin/sh", phase))
    return found


def _group(line: str) -> str:
    """Make the command for `name gid`; a gid of `-` takes any below 1000."""
    name, number = line.split()
    option = "" if number == "-" else f" -g {number}"
    return f"getent group {name} >/dev/null || groupadd -r{option} {name} || :"


def _user(line: str) -> str:
    """Make the commands for `name uid home [shell [group,group]]`, with a group of that name."""
    name, number, home, *rest = line.split()
    shell = rest[0] if rest else "/usr/sbin/nologin"
    uid, gid = ("", "") if number == "-" else (f" -u {number}", f" -g {number}")
    more = f" -G {rest[1]}" if len(rest) > 1 else ""
    return (
        f"getent group {name} >/dev/null || groupadd -r{gid} {name} || :\n"
        f"getent passwd {name} >/dev/null || useradd -r{uid} -g {name}{more} -d {home} "
        f"-s {shell} -M -c '' {name} || :"
    )
