"""Fetches small things by URL: bounded in time and size, with one kind of error."""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from host.errors import InputError, RemoteError
from host.files import read_regular
from host.urls import split_user

TIMEOUT_S = 20
WHOLE_S = 120
"""How long an answer may take as a whole, however steadily it trickles."""
LIMIT_BYTES = 4 << 20
_PIECE_BYTES = 1 << 16


def fetch(
    url: str, limit_bytes: int = LIMIT_BYTES, timeout_s: float = TIMEOUT_S,
    handlers: Sequence[urllib.request.BaseHandler] = (),
) -> bytes:
    """Return what a URL (http, https, ftp, file) gives.

    Of file: only regular files are opened. A user in the URL is sent to that host alone, never to
    where it redirects. timeout_s: how long each answer of the other side may take.
    handlers: urllib's, for a proxy or for TLS.
    Raises RemoteError, with the URL, when it can't be had or is larger than the limit.
    """
    scheme = url.partition(":")[0].lower()
    try:
        if scheme == "file":
            content = _of_file(url, limit_bytes)
        elif scheme in ("http", "https", "ftp"):
            content = _of_network(url, limit_bytes, timeout_s, handlers)
        else:
            raise ValueError(f"there is no {scheme}: here")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise RemoteError("cannot be fetched", where=url, why=str(reason)) from error
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


def _of_network(
    url: str, limit_bytes: int, timeout_s: float, handlers: Sequence[urllib.request.BaseHandler],
) -> bytes:
    bare, user, password = split_user(url)
    if user is None or url.lower().startswith("ftp:"):  # urllib itself logs in by FTP
        request = urllib.request.Request(url)  # noqa: S310 – the scheme is one of three
    else:
        request = urllib.request.Request(bare)  # noqa: S310
        words = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {words}")
    until = time.monotonic() + WHOLE_S
    pieces: list[bytes] = []
    size_bytes = 0
    with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
        read: Any = getattr(answer, "read1", answer.read)
        while size_bytes <= limit_bytes and (piece := read(_PIECE_BYTES)):
            pieces.append(piece)
            size_bytes += len(piece)
            if time.monotonic() > until:
                raise TimeoutError(f"the answer takes more than {WHOLE_S} s")
    return b"".join(pieces)
