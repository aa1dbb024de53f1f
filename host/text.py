"""Text of strangers made fit to be shown: what it says is seen, what it would do is not done."""

from __future__ import annotations

import re

from host.urls import scrub

_ACTIVE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: cursor, colours, window titles, the terminal's answers
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible; direction
    "\ufff9-\ufffb\ufffe\uffff\ufe00-\ufe0f"  # annotations, none, variants
    "\U000e0000-\U000e0fff"  # tags and more variants: text that no font shows
    "\ud800-\udfff"  # bytes that are not UTF-8
    "]"
)
_NAMES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str, *, keep: str = "") -> str:
    r"""Return text for one line of a terminal, a log or a document, control characters as \xNN.

    Escaped are C0 and C1 controls with newline and tab, DEL, whatever changes the direction of
    text (bidirectional controls), line and paragraph separators, invisible characters, and bytes
    that are not UTF-8 (lone surrogates). keep: of these, the ones to be left alone.
    """
    return _ACTIVE.sub(lambda match: match[0] if match[0] in keep else _escaped(match[0]), text)


def shown(text: str) -> str:
    """Return what a line may show: printable(), and no URL with user and password."""
    return printable(scrub(text))


def lines_of(text: str) -> list[str]:
    """Return a text of several lines as lines that are fit to be shown."""
    return [printable(line) for line in text.split("\n")]


def _escaped(letter: str) -> str:
    if letter in _NAMES:
        return _NAMES[letter]
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 \
        else f"\\U{code:08x}"
