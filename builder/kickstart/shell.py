"""The lines of a shell script, as far as lint needs to know: where each is, and within what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from builder.kickstart.model import Script

_HEREDOC = re.compile(r"<<-?\s*(['\"\\]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_BEFORE = r"(?:^|[;&|]|\b(?:then|do|else)\b)\s*"  # where a command, or a word of the shell, begins
_OPENING = re.compile(rf"{_BEFORE}(?:if|case|do)\b|(?:{_BEFORE}|\)\s*)\{{(?=\s|$)")
_CLOSING = re.compile(rf"{_BEFORE}(?:(?:fi|esac|done)\b|\}})")
QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")


@dataclass(frozen=True)
class Line:
    """A line of code. number: in the script, from 1. depth: of the blocks around it, 0 for none."""

    number: int
    text: str
    depth: int


def is_shell(script: Script) -> bool:
    """Say whether a script is the shell's."""
    return script.interpreter.split()[0].rpartition("/")[2] in ("sh", "bash", "dash", "ksh")


def code_lines(script: Script) -> Iterator[Line]:
    """Yield the lines that are code: no comments, nothing of here-documents."""
    depth, ends = 0, ""
    for number, line in enumerate(script.text.splitlines(), start=1):
        text = line.strip()
        if ends:
            ends = "" if text == ends else ends
            continue
        if not text or text.startswith("#"):
            continue
        bare = QUOTED.sub("''", text)
        parts = (bare.count("("), bare.count(")")) if bare[0] in "()" else (0, 0)
        opened = len(_OPENING.findall(bare)) + parts[0]
        closed = len(_CLOSING.findall(bare)) + parts[1]
        yield Line(number, text, max(0, depth - closed if opened < closed else depth))
        depth = max(0, depth + opened - closed)
        if found := _HEREDOC.search(bare) or _HEREDOC.search(text):
            ends = found[2]


def place(script: Script, number: int) -> str:
    """Return the file and line of a line of a script."""
    file, _, header = script.where.rpartition(":")
    return f"{file}:{int(header) + number}" if header.isdigit() else script.where
