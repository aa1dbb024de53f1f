"""Kickstarts as the command line names them: a file, a URL, or `-` for standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from host.errors import InputError

if TYPE_CHECKING:
    from builder.kickstart.sources import Given

_STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_SCHEMES = ("http", "https", "ftp")


def kickstart(text: str | None) -> Given | None:
    """Return the kickstart that an option names; what is no file is brought here, once.

    Raises InputError for an address that is none, RemoteError when it can't be fetched.
    """
    if text is None:
        return None
    if text in _STANDARD_INPUT:
        return _piped()
    scheme, separator, _ = text.partition("://")
    if not separator:
        return Path(text)
    if scheme.lower() == "file":
        return Path(unquote(urlsplit(text).path))
    if scheme.lower() not in _SCHEMES:
        raise InputError(f"a kickstart can't come by {scheme}:", where="--kickstart",
                         remedy=f"give a file, -, or one of {', '.join(_SCHEMES)}")
    return _fetched(text)


def _piped() -> Given:
    from builder.kickstart.sources import LIMIT_BYTES, Brought

    if sys.stdin.isatty():
        raise InputError("nothing comes in", where="--kickstart -",
                         why="standard input is a terminal",
                         remedy="pipe a kickstart: ccis build --kickstart - < my.ks")
    content = sys.stdin.buffer.read(LIMIT_BYTES + 1)
    if not content.strip():
        raise InputError("nothing came in", where="--kickstart -",
                         why="standard input was empty")
    return Brought("stdin.ks", "standard input", content)


def _fetched(url: str) -> Given:
    from builder.kickstart.sources import LIMIT_BYTES, Brought
    from host.fetch import fetch
    from host.urls import shown

    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError("is no address of a kickstart", where=shown(url),
                         why=str(error)) from error
    name = unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.hostname or "kickstart"
    return Brought(name, shown(url), fetch(url, LIMIT_BYTES), url)
