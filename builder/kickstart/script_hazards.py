"""What is valid in a script and bites later: it ends early, or what it writes is sealed away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

from builder.kickstart.findings import Finding
from builder.kickstart.model import Kickstart, Script
from builder.kickstart.shell import QUOTED, code_lines, is_shell, place
from specs.globs import compiled
from specs.kinds.paths import Absent
from specs.model import load

_END = re.compile(r"(exit)\b(?!.*(?:&&|\|\|))|(exec)\s+(?![<>&{\d])\S")
_ERREXIT = re.compile(r"set\s+(?:-[a-zA-Z]*e[a-zA-Z]*|-o\s+errexit)\b")
_WRITTEN = (re.compile(r"(?<![<>&])>{1,2}\s*[\"']?(/[^\s\"';&|()<>$`*]+)"),
            re.compile(r"\btee\s+(?:-\S+\s+)*[\"']?(/[^\s\"';&|()<>$`*]+)"),
            re.compile(r"\b(?:cp|mv|install|ln|rsync)\s[^;&|]*\s[\"']?(/[^\s\"';&|()<>$`*]+)[\"']?"
                       r"\s*(?:$|[;&|])"))
# What only empties a file, or makes it: what is left is as sealing would have it.
_EMPTYING = re.compile(r"^(?:>|:|true\b|echo\s+-n\s*>|cat\s+/dev/null\b|cp\s+/dev/null\b)")
_FLEETING = ("clean.temporary", "clean.package-cache")  # what nobody means to keep
_NOT_KEPT = ("/dev/", "/proc/", "/sys/", "/run/")
_SYSIMAGE = re.compile(r"/mnt/sys(?:image|root)(?=/)")
STOOD_IN = ("blkid", "chcon", "df", "findmnt", "fixfiles", "grub2-install", "grub2-mkconfig",
            "grub2-mkrelpath", "grub2-probe", "grub2-switch-to-blscfg", "hostnamectl")
"""Programs of the tree that scripts/tree_shims.py has stand-ins for."""
_FULL_PATH = re.compile(
    rf"(?:^|[\s;&|(`])((?:/usr)?/s?bin/(?:{'|'.join(STOOD_IN)}))(?=[\s;&|)`]|$)")


def early_end(kickstart: Kickstart) -> Iterator[Finding]:
    """Lines after an `exit`, and after the first failure below `set -e`, are not run."""
    for script in _scripts(kickstart):
        lines = list(code_lines(script))
        for position, line in enumerate(lines):
            after = len(lines) - position - 1
            if line.depth == 0 and after and (found := _END.match(line.text)):
                yield _warn(script, line.number, f"`{found[1] or found[2]}` ends the script here: "
                            f"{after} lines after it are not run", None)
                break
            if _ERREXIT.match(line.text) and not script.stop_on_error:
                yield _warn(script, line.number, "with `set -e` the first failure ends the script, "
                            "and the build goes on without the rest", "add --erroronfail")


def sealed_away(kickstart: Kickstart) -> Iterator[Finding]:
    """The baseline's rules remove what a machine must not inherit, whoever wrote it."""
    for script in kickstart.scripts_of("%post", "%pre-install"):
        if script.log and (rule := _sealing(_in_tree(script, script.log))):
            yield Finding("note", script.kind, f"--log={script.log} is removed when the image is "
                          f"sealed ({rule}); the log of the build has the same",
                          script.where, _elsewhere(rule))
        for line in code_lines(script) if is_shell(script) else ():
            if _EMPTYING.match(line.text):
                continue
            text = QUOTED.sub(lambda word: word[0] if word[0][1:2] == "/" else "''", line.text)
            for path in (found for pattern in _WRITTEN for found in pattern.findall(text)):
                rule = _sealing(_in_tree(script, path))
                if rule and rule not in _FLEETING:
                    yield _warn(script, line.number, f"{path} is removed when the image is sealed "
                                f"({rule})", _elsewhere(rule))


def full_paths(kickstart: Kickstart) -> Iterator[Finding]:
    """Stand-ins are found by name; the tree's own programs find no disk, no bus, no SELinux."""
    for script in kickstart.scripts_of("%post"):
        for line in code_lines(script) if is_shell(script) and script.in_chroot else ():
            if found := _FULL_PATH.search(line.text):
                yield _warn(script, line.number, f"{found[1]} by its full path is the tree's own, "
                            "which finds no disk and no bus while the image is built",
                            "call it by its name alone")


def _scripts(kickstart: Kickstart) -> Iterator[Script]:
    return (script for script in kickstart.scripts_of("%pre", "%pre-install", "%post")
            if is_shell(script))


def _in_tree(script: Script, path: str) -> str | None:
    """Return a path as the image has it; None for one in the installer."""
    full = str(PurePosixPath("/", path))
    if script.in_chroot:
        return full
    return _SYSIMAGE.sub("", full, count=1) if _SYSIMAGE.match(full) else None


@cache
def _rules() -> tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]:
    return tuple((rule.id, tuple(compiled(path) for path in rule.check.paths))
                 for rule in load("baseline").rules
                 if rule.seal and isinstance(rule.check, Absent))


@cache
def _sealing(path: str | None) -> str | None:
    """Return the rule that has a path removed, by its own name or with a folder above it."""
    if path is None or path.startswith(_NOT_KEPT):
        return None
    above = [path, *map(str, PurePosixPath(path).parents)]
    return next((name for name, patterns in _rules()
                 if any(pattern.match(each) for pattern in patterns for each in above)), None)


def _elsewhere(rule: str) -> str:
    return f"write it elsewhere, such as below /root or /usr; see `ccis spec show baseline`, {rule}"


def _warn(script: Script, number: int, says: str, remedy: str | None) -> Finding:
    return Finding("warning", script.kind, says, place(script, number), remedy)
