"""Fetches small things by URL: bounded in time and size, with one kind of error."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from host.errors import RemoteError

TIMEOUT_S = 20
LIMIT_BYTES = 4 << 20


def fetch(url: str, limit_bytes: int = LIMIT_BYTES, timeout_s: float = TIMEOUT_S) -> bytes:
    """Return what a URL (http, https, ftp, file) gives.

    timeout_s: how long each answer of the other side may take.
    Raises RemoteError, with the URL, when it can't be had or is larger than the limit.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 – file: is meant
            content: bytes = answer.read(limit_bytes + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise RemoteError("cannot be fetched", where=url, why=str(reason)) from error
    if len(content) > limit_bytes:
        raise RemoteError("cannot be fetched", where=url,
                          why=f"the answer is larger than {limit_bytes >> 20} MiB")
    return content
