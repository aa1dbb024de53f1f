"""Which SELinux type a path should have: the policy's file_contexts, as libselinux reads them.

selabel_file(5): the last line that matches counts, but one without special characters beats
regular expressions; `subs` files say which trees are labelled as if they lay elsewhere.
"""

from __future__ import annotations

import stat
from functools import cached_property
from typing import Any

from host.errors import InputError
from host.patterns import library

_LINES_MAX = 60_000
_SPECIAL = set(".^$?*+|[({")
_KINDS = {
    "--": stat.S_IFREG, "-d": stat.S_IFDIR, "-l": stat.S_IFLNK, "-c": stat.S_IFCHR,
    "-b": stat.S_IFBLK, "-p": stat.S_IFIFO, "-s": stat.S_IFSOCK,
}


class Contexts:
    """A policy's file contexts. text: of all files, one after the other. subs: of the others."""

    def __init__(self, text: str, subs: str) -> None:
        lines = [line.split() for line in text.splitlines()
                 if line.strip() and not line.lstrip().startswith("#")]
        if len(lines) > _LINES_MAX:
            raise InputError("file_contexts has more lines than any policy")
        self._exact: dict[tuple[str, int], str | None] = {}
        self._rules: list[tuple[str, int, str | None]] = []
        for words in lines:
            if len(words) not in (2, 3):
                continue
            kind = _KINDS.get(words[1], 0) if len(words) == 3 else 0
            label = None if words[-1] == "<<none>>" else words[-1].split(":")[2] \
                if words[-1].count(":") >= 2 else None
            plain = words[0].replace("\\.", "").replace("\\+", "").replace("\\-", "")
            if not set(plain) & _SPECIAL and "\\" not in plain:
                self._exact[words[0].replace("\\", ""), kind] = label
            else:
                self._rules.append((words[0], kind, label))
        self._subs = [words for line in subs.splitlines()
                      if len(words := line.split()) == 2 and not line.startswith("#")]

    @cached_property
    def _set(self) -> Any:
        """All expressions as one automaton: a path is read once, not once for each of 6,000."""
        re2 = library()
        options = re2.Options()
        options.max_mem = 256 << 20
        options.log_errors = False
        found = re2.Set.FullMatchSet(options)
        self._numbers: list[int] = []
        for number, (expression, _, _) in enumerate(self._rules):
            try:
                found.Add(expression)
                self._numbers.append(number)
            except re2.error:
                continue
        found.Compile()
        return found

    def type_of(self, path: str, mode: int) -> str | None:
        """Return the type for a path of this kind, None where the policy gives none."""
        path = self._substituted(path)
        if not path.isascii():
            path = path.encode(errors="replace").decode()
        kind = stat.S_IFMT(mode)
        for key in ((path, kind), (path, 0)):
            if key in self._exact:
                return self._exact[key]
        matched = self._set.Match(path)
        for place in sorted(matched or [], reverse=True):
            wanted, label = self._rules[self._numbers[place]][1:]
            if wanted in (0, kind):
                return str(label) if label is not None else None
        return None

    def _substituted(self, path: str) -> str:
        for above, other in self._subs:
            if path == above or path.startswith(f"{above}/"):
                return other.rstrip("/") + path[len(above):] if other != "/" else path[len(above):]
        return path
