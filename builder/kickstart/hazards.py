"""What is valid in a kickstart and bites later: each function is one such thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from pykickstart.base import KickstartCommand

from builder.kickstart.findings import Finding
from builder.kickstart.model import Command, Kickstart, Section
from builder.kickstart.options import taken_by
from builder.kickstart.script_hazards import early_end, full_paths, sealed_away
from builder.kickstart.secret_words import plain_secrets
from builder.kickstart.unheeded import unheeded
from host.urls import shown

Hazard = Callable[[Kickstart], Iterator[Finding]]

# Programs that reach for the network, each with what makes the line harmless.
_NETWORK: tuple[tuple[str, re.Pattern[str], re.Pattern[str] | None], ...] = tuple(
    (name, re.compile(pattern), re.compile(harmless) if harmless else None)
    for name, pattern, harmless in (
        ("curl", r"(?:^|[\s;&|(`])curl\s", r"file://|localhost|127\.0\.0\.1"),
        ("wget", r"(?:^|[\s;&|(`])wget\s", r"localhost|127\.0\.0\.1"),
        ("git clone", r"\bgit\s+(?:-\S+\s+)*clone\b", None),
        ("pip install", r"\bpip[0-9.]*\s+install\b", r"--no-index"),
        ("npm install", r"\bnpm\s+(?:install|ci)\b", r"--offline"),
        ("gem install", r"\bgem\s+install\b", r"--local"),
        ("a package manager",
         r"\b(?:dnf|yum|microdnf)\b[^;&|]*?\s(?:install|reinstall|update|upgrade|distro-sync|"
         r"downgrade|groupinstall|makecache|check-update|module\s+enable)\b",
         r"\s-C\b|--cacheonly"),
        ("rpm with a URL", r"\brpm\b[^;&|]*\s(?:https?|ftp)://", None),
        ("subscription-manager register", r"\bsubscription-manager\s+register\b", None),
        ("ssh-keyscan", r"\bssh-keyscan\s", None),
    )
)
_PLACEHOLDER = re.compile(
    r"\b(?:DATESTAMP|CHANGE_?ME|REPLACE_?ME)\b|@[A-Z][A-Z0-9_]+@|\{\{[^}]*\}\}|%\([a-z_]+\)s")
_SERIAL = re.compile(r"console=(?:ttyS\d|ttyAMA\d|hvc\d|ttysclp\d)")
_URLS = ("url", "mirrorlist", "metalink", "baseurl")


def plain_passwords(kickstart: Kickstart) -> Iterator[Finding]:
    """Whoever reads the file knows the password, and so does whoever gets a medium with it."""
    remedies = {"password": "use --iscrypted with a hash, or lock the account and use keys"}
    for secret in plain_secrets(kickstart):
        yield Finding(
            "warning", secret.name, f"{secret.what} stands here in plain text; an installation "
            "medium (install-iso) would carry it", secret.where, remedies.get(secret.kind))


def network_in_post(kickstart: Kickstart) -> Iterator[Finding]:
    """%post has no network unless the image asks for it (`network_in_post`)."""
    for where, line in _script_lines(kickstart):
        for name, pattern, harmless in _NETWORK:
            if pattern.search(line) and not (harmless and harmless.search(line)):
                yield Finding(
                    "warning", "%post", f"{name} wants the network, which is off in scripts", where,
                    "install it by %packages and `repo`, or set network_in_post in the image")
                break


def urls_without_scheme(kickstart: Kickstart) -> Iterator[Finding]:
    """A URL without `https://` is no URL: libcurl guesses, dnf refuses."""
    for command in kickstart.commands:
        for name in _URLS:
            text = getattr(command.data, name, None) if command.name in ("url", "repo") else None
            if text and "://" not in str(text) and not _PLACEHOLDER.search(str(text)):
                yield _warn(command, f"the URL {shown(str(text))} has no scheme",
                            "write https://… or file://…")


def placeholders(kickstart: Kickstart) -> Iterator[Finding]:
    """Words that a compose tool was to replace: the build would take them as they stand."""
    for command in kickstart.commands:
        if found := _PLACEHOLDER.search(" ".join(command.words)):
            yield _warn(command, f"{found[0]} looks like a placeholder that nobody filled in", None)
    for name in (*kickstart.packages.names, *(each.name for each in kickstart.packages.groups)):
        if found := _PLACEHOLDER.search(name):
            yield Finding("warning", "%packages", f"{found[0]} looks like a placeholder",
                          kickstart.where_of(name))


def missing_console(kickstart: Kickstart) -> Iterator[Finding]:
    """Clouds show a machine's serial console, and nothing else, to whoever asks why it hangs."""
    for command in kickstart.find("bootloader")[-1:]:
        data = command.data
        none = getattr(data, "location", "") == "none" or getattr(data, "disabled", False)
        if not none and not _SERIAL.search(getattr(data, "appendLine", "") or ""):
            yield _warn(command, "the kernel gets no serial console, where clouds look for its log",
                        'add --append="console=tty0 console=ttyS0,115200n8"')


def foreign_spellings(kickstart: Kickstart) -> Iterator[Finding]:
    """Lines that the release's own Anaconda would not take, or would make nothing of."""
    lines: list[Command | Section] = [*kickstart.commands, *kickstart.sections]
    for each in lines:
        if each.dialect and kickstart.dialect and each.dialect != kickstart.dialect:
            foreign = _foreign_options(each, kickstart.dialect)
            what = ", ".join(foreign) if foreign else "this"
            yield Finding(
                "warning", each.name,
                f"{kickstart.dialect} has {what} no longer or not yet; it is read as in "
                f"{each.dialect}", each.where)


def _foreign_options(line: Command | Section, dialect: str) -> list[str]:
    """Return the options of a line that a dialect's parser of the same command lacks."""
    own = taken_by(line.name, dialect) if isinstance(line, Command) else None
    if own is None:
        return []
    known = {spelling for spellings in own for spelling in spellings}
    return [word.partition("=")[0] for word in line.words if word.startswith("--")
            and not any(spelling.startswith(word.partition("=")[0]) for spelling in known)]


def repeated(kickstart: Kickstart) -> Iterator[Finding]:
    """Of commands that there is one of, the last line counts, in part with what came before."""
    first: dict[str, str] = {}
    for command in kickstart.commands:
        if not isinstance(command.data, KickstartCommand) or command.name in ("repo", "network"):
            continue
        if command.name in first:
            yield _warn(command, f"it was said before, at {first[command.name]}; this line counts",
                        "keep one of the two")
        first[command.name] = command.where


def contradictions(kickstart: Kickstart) -> Iterator[Finding]:
    """Lines that need a package which %packages keeps out."""
    for command in kickstart.find("firewall"):
        if getattr(command.data, "enabled", None) and "firewalld" in kickstart.packages.excluded:
            yield _warn(command, "the firewall is wanted and %packages excludes firewalld", None)


def left_out(kickstart: Kickstart) -> Iterator[Finding]:
    """Lines that have no effect because of an earlier one, as under Anaconda."""
    for command, why in unheeded(kickstart):
        yield _warn(command, f"the line has no effect: {why}", None)


HAZARDS: tuple[Hazard, ...] = (
    plain_passwords, network_in_post, urls_without_scheme, placeholders, missing_console,
    foreign_spellings, repeated, contradictions, left_out, early_end, sealed_away, full_paths,
)


def _warn(command: Command, says: str, remedy: str | None) -> Finding:
    return Finding("warning", command.name, says, command.where, remedy)


def _script_lines(kickstart: Kickstart) -> Iterator[tuple[str, str]]:
    """Yield place and text of each line of the %post scripts that is no comment."""
    for script in kickstart.scripts_of("%post"):
        file, _, header = script.where.rpartition(":")
        start: Any = int(header) if header.isdigit() else None
        for number, line in enumerate(script.text.splitlines(), start=1):
            code = line.strip()
            if code and not code.startswith("#"):
                yield (f"{file}:{start + number}" if start is not None else script.where), code
