"""Proofs on what files say: lines, os-release, YAML settings, sshd's settings."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from host.errors import InputError
from host.patterns import pattern
from specs.kinds.text import FileMatches, OsRelease, SshdSetting, YamlValue
from validate.documents import parse_yaml
from validate.registry import Finding, proves, verdict
from validate.view import View

_LINE_MAX = 4096
_DEPTH_MAX = 16
"""As deep as sshd follows Include (servconf.h, SERVCONF_MAX_DEPTH)."""
_FILES_MAX = 256
_PATTERNS_MAX = 64
_SSHD_LINE = r"^\s*([A-Za-z]+)(?:\s*=\s*|\s+)(\S.*)$"
_SSHD_CONFIG = "/etc/ssh/sshd_config"


@proves(FileMatches)
def file_matches(check: FileMatches, view: View) -> Finding:
    """Search line by line; a line is cut at _LINE_MAX."""
    wrong, seen = [], 0
    for glob in check.paths:
        ends = [view.follow(entry) for entry in view.tree.find(glob)]
        files = [end.path for end in ends if end is not None and end.is_file]
        if not files and not check.missing_ok:
            wrong.append(f"{glob} is not there")
        for path in files:
            seen += 1
            wrong += _wrong_lines(check, path, view.text(path) or "")
    expected = "; ".join(
        [f"a line {one}" for one in check.lines] + [f"no line {one}" for one in check.not_lines]
    )
    if not seen and not wrong:
        return Finding(None, "no such file", expected)
    return verdict(wrong, f"as expected in {seen} file{'s' * (seen != 1)}", expected)


def _wrong_lines(check: FileMatches, path: str, text: str) -> list[str]:
    lines = [line[:_LINE_MAX] for line in text.splitlines()]
    lines = [line for line in lines if not line.lstrip().startswith(check.comment)]
    wrong = [
        f"{path} has no line {wanted}" for wanted in check.lines
        if not any(pattern(wanted).search(line) for line in lines)
    ]
    for unwanted in check.not_lines:
        wrong += [
            f"{path}: {line.strip()}" for line in lines if pattern(unwanted).search(line)
            and not any(pattern(allowed).search(line) for allowed in check.allowed)
        ]
    return wrong


@proves(OsRelease)
def os_release(check: OsRelease, view: View) -> Finding:
    """Compare fields of os-release."""
    wrong = []
    for name, wanted in check.fields.items():
        value = view.os_release.get(name)
        if value is None:
            wrong.append(f"{name} is not there")
        elif not pattern(wanted).fullmatch(value[:_LINE_MAX]):
            wrong.append(f"{name}={value}")
    good = view.os_release.get("PRETTY_NAME") or view.os_release.get("NAME", "")
    expected = ", ".join(f"{name}={wanted}" for name, wanted in check.fields.items())
    return verdict(wrong, good, expected)


@proves(YamlValue)
def yaml_value(check: YamlValue, view: View) -> Finding:
    """Look a value up; a list counts its plain entries and the first of each pair."""
    question = (
        f"{check.key} has {check.contains}" if check.contains is not None
        else f"{check.key} is {' or '.join(map(str, check.one_of))}"
    )
    text = view.text(check.path)
    if text is None:
        return Finding(False, f"{check.path} is not there", question)
    value = _lookup(parse_yaml(check.path, text), check.key)
    if check.contains is not None:
        entries = value if isinstance(value, list) else []
        names = [one[0] if isinstance(one, list) and one else one for one in entries]
        return Finding(check.contains in names, str(value), question)
    # True == 1 in Python and in what cloud-init takes, so they are not told apart here.
    return Finding(value in check.one_of, str(value), question)


def _lookup(value: Any, key: str) -> Any:
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


@proves(SshdSetting)
def sshd_setting(check: SshdSetting, view: View) -> Finding:
    """Read sshd_config as sshd does: the first value counts, Match blocks are for some only."""
    expected = f"{check.key} {'|'.join(check.one_of)}"
    if view.text(_SSHD_CONFIG) is None:
        return Finding(None, f"{_SSHD_CONFIG} is not there", expected)
    for path, key, value in _sshd_lines(view, _SSHD_CONFIG, 0, []):
        if key == check.key.lower():
            return Finding(value.lower() in check.one_of, f"{key} {value} ({path})", expected)
    return Finding(check.default in check.one_of, f"{check.default} (sshd's default)", expected)


def _sshd_lines(
    view: View, path: str, depth: int, read: list[str],
) -> Iterator[tuple[str, str, str]]:
    """Yield file, keyword and value of each line for everybody. read: the files so far."""
    read.append(path)
    if depth > _DEPTH_MAX or len(read) > _FILES_MAX:
        raise InputError(f"{path}: too many files by Include")
    for line in (view.text(path) or "").splitlines():
        match = pattern(_SSHD_LINE).match(line[:_LINE_MAX].rstrip())
        if match is None:
            continue
        key, value = match[1].lower(), match[2].split(" #")[0].strip().strip('"')
        if key == "match":
            if value.lower() == "all":
                continue
            return
        if key == "include":
            for entry in _included(view, path, value):
                yield from _sshd_lines(view, entry, depth + 1, read)
        else:
            yield path, key, value


def _included(view: View, path: str, value: str) -> list[str]:
    """Return the files that an Include names; its patterns are the image's, so they may be bad."""
    globs = [posixpath.join("/etc/ssh", glob.strip('"')) for glob in value.split()]
    if len(globs) > _PATTERNS_MAX:
        raise InputError(f"{path}: Include with {len(globs)} patterns")
    try:
        return [entry.path for glob in globs for entry in view.tree.find(glob)]
    except ValueError as error:
        raise InputError(f"{path}: Include with a bad pattern", why=str(error)) from error
