"""Proofs on settings that several files make together."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from host.errors import InputError
from host.patterns import pattern
from specs.kinds.settings import (
    CloudConfig,
    DataSources,
    FileLines,
    IniOnly,
    IniValue,
    Sudoers,
    SysctlSetting,
    YamlValid,
)
from validate.documents import parse_yaml
from validate.registry import Finding, proves, verdict
from validate.view import View

_CLOUD = "/etc/cloud/cloud.cfg"
_CLOUD_D = "/etc/cloud/cloud.cfg.d/*.cfg"
_SYSCTL_FOLDERS = ("/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/etc/sysctl.d")
"""From the weakest to the strongest: a file hides those of its name in the folders before."""
_SECTION, _PAIR = r"^\s*\[([^\]]*)\]\s*$", r"^\s*([^=#;\s][^=]*?)\s*=\s*(.*?)\s*$"
_LINE_MAX = 4096


def ini(view: View, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield section, key and value of each line of a file, comments apart."""
    section = ""
    for line in (view.text(path) or "").splitlines():
        line = line[:_LINE_MAX]
        if line.lstrip().startswith(("#", ";")):
            continue
        if match := pattern(_SECTION).match(line):
            section = match[1]
        elif match := pattern(_PAIR).match(line):
            yield section, match[1], match[2].strip("\"'")


@proves(IniValue)
def ini_value(check: IniValue, view: View) -> Finding:
    """Take the last file that sets it, and in it the last line."""
    expected = f"[{check.section}] {check.key} = {' or '.join(check.one_of)}"
    value, where = check.default, "by default"
    for glob in check.paths:
        for entry in view.tree.find(glob):
            for section, key, found in ini(view, entry.path):
                if section == check.section and key == check.key:
                    value, where = found, entry.path
    if value is None:
        return Finding(False, f"{check.key} is not set", expected)
    good = any(pattern(each).fullmatch(value) for each in check.one_of)
    return Finding(good, f"{value} ({where})", expected)


@proves(IniOnly)
def ini_only(check: IniOnly, view: View) -> Finding:
    """Look for keys that are not listed."""
    expected = f"no keys but {', '.join(check.keys)}"
    if view.text(check.path) is None:
        return Finding(None, f"{check.path} is not there", expected)
    keys = [key for section, key, _ in ini(view, check.path) if section == check.section]
    return verdict([f"{check.path}: {key}" for key in keys if key not in check.keys],
                   ", ".join(keys), expected)


@proves(SysctlSetting)
def sysctl_setting(check: SysctlSetting, view: View) -> Finding:
    """Merge the folders as systemd-sysctl does, /etc/sysctl.conf last."""
    files: dict[str, str] = {}
    for folder in _SYSCTL_FOLDERS:
        for entry in view.tree.find(f"{folder}/*.conf"):
            files[posixpath.basename(entry.path)] = entry.path
    settings: dict[str, tuple[str, str]] = {}
    for path in [*(files[name] for name in sorted(files)), "/etc/sysctl.conf"]:
        for _, key, value in ini(view, path):
            settings[key.lstrip("-").replace("/", ".")] = (value, path)
    wrong = [f"{key}={value} ({path})" for key, (value, path) in settings.items()
             for name, wanted in check.values.items()
             if _matches(name, key) and not pattern(wanted).fullmatch(value)]
    expected = ", ".join(f"{key}={value}" for key, value in check.values.items())
    return verdict(wrong, "nothing weaker", expected)


def _matches(name: str, key: str) -> bool:
    """Tell whether a setting is meant: `*` stands for one interface or word."""
    wanted, found = name.split("."), key.split(".")
    return len(wanted) == len(found) and all(
        one in ("*", other) or other == "*" for one, other in zip(wanted, found, strict=True))


def merged_cloud_config(view: View) -> dict[str, Any]:
    """Return cloud-init's configuration as util.read_conf_with_confd merges it.

    Files of cloud.cfg.d in the order of names lie over cloud.cfg, mappings merge key by key
    (a later file wins), lists are replaced. Raises InputError for a file that is no YAML.
    """
    if view.text(_CLOUD) is None:
        raise InputError(f"{_CLOUD} is not there")
    if "cloud-init" in view.remembered:
        return dict(view.remembered["cloud-init"])
    whole: dict[str, Any] = {}
    paths = [_CLOUD, *(one.path for one in view.tree.find(_CLOUD_D))]
    for path in paths:
        content = parse_yaml(path, view.text(path) or "")
        if isinstance(content, dict):
            whole = _over(content, whole)
    view.remembered["cloud-init"] = whole
    return whole


def _over(top: dict[str, Any], below: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in top.items():
        under = merged.get(key)
        merged[key] = _over(value, under) if isinstance(value, dict) and isinstance(under, dict) \
            else value
    return merged


@proves(CloudConfig)
def cloud_config(check: CloudConfig, view: View) -> Finding:
    """Look a key up in the merged configuration; list entries count by name, - and _ alike."""
    value: Any = merged_cloud_config(view)
    for part in check.key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if check.absent:
        return Finding(value is None, f"{check.key}: {value}", f"no {check.key}")
    if check.one_of:
        value = check.default if value is None else value
        expected = f"{check.key} is {' or '.join(map(str, check.one_of))}"
        return Finding(value in check.one_of, str(value), expected)
    entries = value if isinstance(value, list) else []
    names = {str(one[0] if isinstance(one, list) and one else one).replace("-", "_")
             for one in entries}
    if check.lacks:
        wrong = [one for one in check.lacks if one.replace("-", "_") in names]
        return verdict(wrong, str(value), f"{check.key} without {', '.join(check.lacks)}")
    wrong = [f"no {one}" for one in check.contains
             if not {each.replace("-", "_") for each in one.split("|")} & names]
    return verdict(wrong, f"{len(names)} entries", f"{check.key} has {', '.join(check.contains)}")


@proves(DataSources)
def data_sources(check: DataSources, view: View) -> Finding:
    """Ask both readers: Python's merge, and ds-identify's search for one line (24.4)."""
    wanted = list(check.sources)
    expected = f"[{', '.join(wanted)}] for both readers" if wanted else "no list: all are tried"
    merged = merged_cloud_config(view).get("datasource_list")
    grepped = None
    paths = [_CLOUD, *(one.path for one in view.tree.find(_CLOUD_D))]
    for path in paths:
        for line in (view.text(path) or "").splitlines():
            line = line.split("#")[0].strip()
            if line.startswith("datasource_list:") and "[" in line and line.endswith("]"):
                inside = line.partition("[")[2][:-1]
                grepped = [word.strip().strip("\"'") for word in inside.split(",") if word.strip()]
    found = f"merged {merged}, ds-identify {grepped}"
    if not wanted:
        return Finding(merged is None and grepped is None, found, expected)
    return Finding(merged == wanted and grepped == wanted, found, expected)


@proves(YamlValid)
def yaml_valid(check: YamlValid, view: View) -> Finding:
    """Parse each."""
    wrong, seen = [], 0
    for glob in check.paths:
        for entry in view.tree.find(glob):
            seen += 1
            try:
                content = parse_yaml(entry.path, view.text(entry.path) or "")
            except InputError as error:
                wrong.append(str(error))
                continue
            if content is not None and not isinstance(content, dict):
                wrong.append(f"{entry.path} is no mapping")
    expected = "YAML mappings"
    return verdict(wrong, f"{seen} files", expected) if seen else Finding(None, "none", expected)


@proves(Sudoers)
def sudoers(check: Sudoers, view: View) -> Finding:
    """Read sudoers and the drop-ins that sudo would (no dot, no ~ in their names)."""
    if view.text("/etc/sudoers") is None:
        return Finding(None, "/etc/sudoers is not there", "")
    texts = {"/etc/sudoers": view.text("/etc/sudoers") or ""}
    for entry in view.tree.find("/etc/sudoers.d/*"):
        name = posixpath.basename(entry.path)
        if entry.is_file and "." not in name and not name.endswith("~"):
            texts[entry.path] = view.text(entry.path) or ""
    included = any(line.split()[:2] in (["#includedir", "/etc/sudoers.d"],
                                        ["@includedir", "/etc/sudoers.d"])
                   for line in texts["/etc/sudoers"].splitlines())
    wrong = [] if included else ["/etc/sudoers does not include /etc/sudoers.d"]
    for path, text in texts.items():
        for line in text.replace("\\\n", " ").splitlines():
            words = line.split()
            if not words or (words[0].startswith(("#", "@"))):
                continue
            if "NOPASSWD:" in line.replace(" ", "") + ":" and "NOPASSWD" in line \
                    and words[0] not in check.grants:
                wrong.append(f"{path}: {line.strip()}")
            if words[0].startswith("Defaults"):
                said = {word.strip(",") for word in words[1:]}
                wrong += [f"{path}: {line.strip()}" for each in check.forbid if each in said]
    return verdict(wrong, f"{len(texts)} files", "none of " + ", ".join(check.forbid))


@proves(FileLines)
def file_lines(check: FileLines, view: View) -> Finding:
    """Look for whole lines."""
    expected = "; ".join(check.lines)
    text = view.text(check.path)
    if text is None:
        return Finding(False, f"{check.path} is not there", expected)
    lines = text.splitlines()
    wrong = [f"no line {line}" for line in check.lines if line not in lines]
    wrong += [line for line in lines for each in check.without
              if pattern(each).search(line[:_LINE_MAX]) and line not in check.lines]
    return verdict(wrong, "there", expected)
