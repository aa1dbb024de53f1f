"""Fetches small things by URL: bounded in time and size, with one kind of error."""

from __future__ import annotations

import base64
import http.client
import itertools
import socket
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from host.errors import InputError, RemoteError
from host.files import read_regular
from host.patience import PASSING_STATUS, Kind, Patience
from host.urls import split_user, through

PATIENCE = Patience(stall_s=20)
_RETRY_AFTER_S = 10
LIMIT_BYTES = 4 << 20
_PIECE_BYTES = 1 << 16


def fetch(
    url: str, limit_bytes: int = LIMIT_BYTES, patience: Patience = PATIENCE,
) -> bytes:
    """Return what a URL (http, https, ftp, file) gives, by no other means than Python's own.

    What belongs to a repository comes by builder.packages.transfer, which knows its proxy and
    certificates. Of file: only regular files are opened. A user in the URL is sent to that host
    alone, never to where it redirects. What passes by itself is asked for again.
    Raises RemoteError, with the URL, when it can't be had or is larger than the limit.
    """
    scheme = url.partition(":")[0].lower()
    try:
        if scheme == "file":
            content = _of_file(url, limit_bytes)
        elif scheme in ("http", "https", "ftp"):
            content = _again(url, limit_bytes, patience)
        else:
            raise ValueError(f"there is no {scheme}: here")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        if isinstance(error, urllib.error.HTTPError):
            reason = f"it answered {error.code} {reason}"
        by = through(url) if scheme in ("http", "https", "ftp") else ""
        raise RemoteError(
            "cannot be fetched", where=url, why=f"{reason}{by}",
            remedy="check the proxy: http_proxy and its kin" if by else None) from error
    except InputError as error:
        raise RemoteError("cannot be fetched", where=url, why=error.what) from error
    if len(content) > limit_bytes:
        raise RemoteError("cannot be fetched", where=url,
                          why=f"the answer is larger than {limit_bytes >> 20} MiB")
    return content


def _of_file(url: str, limit_bytes: int) -> bytes:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ValueError("file: names a file of this host: file:///PATH")
    return read_regular(Path(unquote(parts.path)), limit_bytes + 1)


def _again(url: str, limit_bytes: int, patience: Patience) -> bytes:
    """Ask until there is an answer that does not pass by itself; raises what the last one was."""
    pauses = list(patience.pauses())[1:]
    for tried in itertools.count(1):
        try:
            return _of_network(url, limit_bytes, patience)
        except (OSError, http.client.HTTPException) as error:
            kind, pause_s = _kind(error)
            if tried >= patience.tries_of(kind):
                raise
            time.sleep(max(pauses[tried - 1], pause_s))
    raise AssertionError("there is no end of numbers")


def _kind(error: Exception) -> tuple[Kind, float]:
    """Say whether a failure may pass by itself, and how long the other side wants us to wait."""
    if isinstance(error, urllib.error.HTTPError):
        wish = error.headers.get("Retry-After", "")
        wait_s = min(int(wish), _RETRY_AFTER_S) if wish.isascii() and wish.isdigit() else 0
        return ("passing" if error.code in PASSING_STATUS else "final"), wait_s
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "final", 0
    slow = isinstance(reason, TimeoutError | ConnectionRefusedError | socket.gaierror)
    return ("slow" if slow else "passing"), 0


def _of_network(url: str, limit_bytes: int, patience: Patience) -> bytes:
    bare, user, password = split_user(url)
    if user is None or url.lower().startswith("ftp:"):  # urllib itself logs in by FTP
        request = urllib.request.Request(url)  # noqa: S310 – the scheme is one of three
    else:
        request = urllib.request.Request(bare)  # noqa: S310
        words = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {words}")
    until = time.monotonic() + patience.whole_s
    pieces: list[bytes] = []
    size_bytes = 0
    with urllib.request.urlopen(request, timeout=patience.stall_s) as answer:  # noqa: S310
        read: Any = getattr(answer, "read1", answer.read)
        while size_bytes <= limit_bytes and (piece := read(_PIECE_BYTES)):
            pieces.append(piece)
            size_bytes += len(piece)
            if time.monotonic() > until:
                raise TimeoutError(f"the answer takes more than {patience.whole_s:g} s")
        announced = answer.headers.get("Content-Length", "")  # read1() does not miss anything
        if announced.isdecimal() and size_bytes < min(int(announced), limit_bytes):
            raise ConnectionError(f"it broke off: {int(announced) - size_bytes} bytes are missing")
    return b"".join(pieces)
