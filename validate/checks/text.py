"""Proofs on what files say: lines, os-release, YAML settings, sshd's settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

import yaml

from host.errors import InputError
from specs.kinds.text import FileMatches, OsRelease, SshdSetting, YamlValue
from validate.registry import Finding, proves, verdict
from validate.view import View

_LINE_MAX = 4096
_INCLUDES_MAX = 16
_SSHD_CONFIG = "/etc/ssh/sshd_config"


@proves(FileMatches)
def file_matches(check: FileMatches, view: View) -> Finding:
    """Search lines; a line is cut at _LINE_MAX, so that no text keeps a search busy."""
    wrong, seen = [], 0
    for pattern in check.paths:
        ends = [view.follow(entry) for entry in view.tree.find(pattern)]
        files = [end.path for end in ends if end is not None and end.is_file]
        if not files and not check.missing_ok:
            wrong.append(f"{pattern} is not there")
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
        if not any(re.search(wanted, line) for line in lines)
    ]
    for unwanted in check.not_lines:
        wrong += [f"{path}: {line.strip()}" for line in lines if re.search(unwanted, line)]
    return wrong


@proves(OsRelease)
def os_release(check: OsRelease, view: View) -> Finding:
    """Compare fields of os-release."""
    wrong = []
    for name, wanted in check.fields.items():
        value = view.os_release.get(name)
        if value is None:
            wrong.append(f"{name} is not there")
        elif not re.fullmatch(wanted, value):
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
    value = _lookup(_parsed(check.path, text), check.key)
    if check.contains is not None:
        entries = value if isinstance(value, list) else []
        names = [one[0] if isinstance(one, list) and one else one for one in entries]
        return Finding(check.contains in names, str(value), question)
    # True == 1 in Python and in what cloud-init takes, so they are not told apart here.
    return Finding(value in check.one_of, str(value), question)


def _parsed(path: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{path} is not valid YAML", why=type(error).__name__) from error


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
    for path, key, value in _sshd_lines(view, _SSHD_CONFIG, 0):
        if key == check.key.lower():
            return Finding(value.lower() in check.one_of, f"{key} {value} ({path})", expected)
    return Finding(check.default in check.one_of, f"{check.default} (sshd's default)", expected)


def _sshd_lines(view: View, path: str, depth: int) -> Iterator[tuple[str, str, str]]:
    if depth > _INCLUDES_MAX:
        raise InputError(f"{path}: too many levels of Include")
    for line in (view.text(path) or "").splitlines():
        match = re.match(r"\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*\S)", line[:_LINE_MAX])
        if match is None:
            continue
        key, value = match[1].lower(), match[2].split(" #")[0].strip().strip('"')
        if key == "match":
            if value.lower() == "all":
                continue
            return
        if key == "include":
            for pattern in value.split():
                full = posixpath.join("/etc/ssh", pattern.strip('"'))
                for entry in view.tree.find(full):
                    yield from _sshd_lines(view, entry.path, depth + 1)
        else:
            yield path, key, value
