"""A test of the suite as data: what its shell file says, read and never run.

The suite's README (chapters 3 to 5) says what a test is: NAME.sh, which anybody may execute, and
NAME.ks.in. Its functions take the place of those of functions.sh.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_WORD = re.compile(r"(?m)^\s*(?:export )?(?P<name>[A-Z_0-9]+)=(?P<value>.*)$")
_FUNCTION = re.compile(r"(?ms)^(?:function )?(?P<name>\w+) *\(\) *\{\n(?P<body>.*?)^\}")
_SOURCED = re.compile(r"(?m)^\s*(?:\.|source) +(?:\$\{?KSTESTDIR\}?/|\./)?(?P<name>[\w.-]+\.sh)")
_DEFAULTS = "functions.sh"


@dataclass(frozen=True)
class Definition:
    """One test. path: its shell file."""

    path: Path

    @property
    def name(self) -> str:
        """The test's name, by which the suite runs it."""
        return self.path.stem

    @cached_property
    def text(self) -> str:
        """Its shell file, without comments."""
        return without_comments(self.path.read_text(errors="replace"))

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Its words of TESTTYPE, in order."""
        found = self._value("TESTTYPE")
        return tuple(dict.fromkeys(re.findall(r"[\w.-]+", found.replace("TESTTYPE:-", ""))))

    @property
    def kickstart(self) -> str:
        """The name of its kickstart's file: KICKSTART_NAME, or its own."""
        return f"{self._value('KICKSTART_NAME').strip(chr(34)) or self.name}.ks.in"

    @cached_property
    def functions(self) -> dict[str, str]:
        """Its functions by name: of other tests' files that it reads in, then its own."""
        found: dict[str, str] = {}
        for match in _SOURCED.finditer(self.text):
            other = self.path.with_name(match["name"])
            if other.name != _DEFAULTS and other.is_file() and other != self.path:
                found |= Definition(other).functions
        return found | {each["name"]: each["body"] for each in _FUNCTION.finditer(self.text)}

    def _value(self, name: str) -> str:
        return next((each["value"] for each in _WORD.finditer(self.text)
                     if each["name"] == name), "")


def without_comments(text: str) -> str:
    """Return lines without those that are only a comment."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")) + "\n"


def definitions(suite: Path, names: list[str]) -> list[Definition]:
    """Return the suite's tests: files that others may execute and that have a type; some, by name.
    """
    found = [Definition(path) for path in sorted(suite.glob("*.sh")) if path.stat().st_mode & 0o001]
    return [each for each in found if each.types and (not names or each.name in names)]
