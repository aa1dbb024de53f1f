"""Numbers in a tree's files, which are whatever somebody wrote there."""

from __future__ import annotations


def number(text: str, most: int) -> int | None:
    """Return the decimal number that a text is, None for another text or one beyond `most`.

    str.isdigit() also takes digits that int() refuses, and int() refuses very long numbers.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) + 20:
        return None
    found = int(text)
    return found if found <= most else None
