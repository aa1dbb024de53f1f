"""A test's kickstart as the suite hands it to the installer: fragments, variables, inclusions.

The rules are those of the suite's README (chapters 3 to 5): %ksappend takes a fragment, of the
platform before the shared ones; @KSTEST_NAME@ is what the defaults say; @KSINCLUDE@ takes a file.
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.kickstart_suite.definition import Definition

_APPEND = re.compile(r"(?m)^%ksappend +(?P<path>\S+) *$")
_INCLUDE = re.compile(r"(?m)^\s*@KSINCLUDE@\s*(?P<path>\S+)\s*$")
_VARIABLE = re.compile(r"@(KSTEST_[A-Z_0-9]+)@")
_EXPORT = re.compile(r"(?m)^\s*(?:export )?(?P<name>\w+)=(?P<value>\"[^\"]*\"|'[^']*'|\S*)")
_READ_IN = re.compile(r"(?m)^\s*(?:\.|source) +\./(?P<path>[\w.-]+)")
_MOST = 20


class NotPreparedError(Exception):
    """The suite's rules do not lead to a kickstart here; the words say why."""


def platform_of(release: str) -> str:
    """Return what the suite calls a release: centos10 for rehearsal-10 and centos-stream-10."""
    return f"centos{release.rpartition('-')[2]}"


def kickstart(test: Definition, platform: str) -> str:
    """Return the text of the kickstart, before the test's own prepare(). Raises NotPreparedError.
    """
    suite = test.path.parent
    source = suite / test.kickstart
    if not source.is_file():
        raise NotPreparedError(f"the suite has no {source.name}")
    text = _appended(source.read_text(errors="replace"), suite, platform)
    values = variables(suite, platform)
    text = _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)
    text = _INCLUDE.sub(lambda found: _file(suite, found["path"]), text)
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def check_whole(text: str) -> None:
    """Raise NotPreparedError for a kickstart with variables that nothing has set."""
    if left := sorted(set(_VARIABLE.findall(text))):
        raise NotPreparedError(f"nothing says what {', '.join(left)} is")


def variables(suite: Path, platform: str) -> dict[str, str]:
    """Return the variables of scripts/defaults.sh and of the platform's file, and what the suite
    asks of the installer's medium: the system's name and version."""
    found = {"KSTEST_OS_NAME": platform.rstrip("0123456789"),
             "KSTEST_OS_VERSION": platform.lstrip("abcdefghijklmnopqrstuvwxyz")}
    for name in ("defaults.sh", f"defaults-{platform}.sh"):
        path = suite / "scripts" / name
        if path.is_file():
            _read_exports(path, suite, found)
    return found


def _read_exports(path: Path, suite: Path, found: dict[str, str]) -> None:
    text = path.read_text()
    for part in (*(_file(suite, each["path"]) for each in _READ_IN.finditer(text)), text):
        for each in _EXPORT.finditer(part):
            value = each["value"]
            if not value.startswith("'"):
                value = re.sub(r"\$\{?(\w+)\}?", lambda name: found.get(name[1], name[0]), value)
            found[each["name"]] = value.strip("\"'")


def _appended(text: str, suite: Path, platform: str) -> str:
    for _ in range(_MOST):
        if not _APPEND.search(text):
            return text
        text = _APPEND.sub(lambda found: _fragment(suite, platform, found["path"]), text)
    raise NotPreparedError("its fragments append one another without end")


def _fragment(suite: Path, platform: str, name: str) -> str:
    for folder in (f"platform/{platform}", "shared"):
        if (suite / "fragments" / folder / name).is_file():
            return _file(suite, f"fragments/{folder}/{name}")
    raise NotPreparedError(f"{platform} has no fragment {name}")


def _file(suite: Path, name: str) -> str:
    """Return a file of the suite; a name that leads out of it is refused."""
    path = (suite / name).resolve()
    if not path.is_relative_to(suite.resolve()) or not path.is_file():
        raise NotPreparedError(f"the suite has no {name}")
    return path.read_text(errors="replace")
