"""Files of mirrors, fetched by librepo with our retries around: part of the process that fetches.

Each file is a target of librepo with all its mirrors: librepo goes from one to the next and checks
sums. What it does not do is here: waiting before another try, telling what passes by itself from
what does not, and ending a transfer that trickles. It shows no header of an answer, so Retry-After
is not obeyed to the second; the pauses double instead.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import librepo

from builder.packages.causes import Cause, cause_of, disk_full, too_large
from host.patience import Patience
from host.urls import split_user

_PARALLEL = 6
_FREE_BYTES = 64 << 10


@dataclass
class Target:
    """A file that is wanted. urls: of mirrors, each followed by `path`; without one, of the file.

    checksum: kind and hexadecimal digits. size_bytes: 0 when it is not known; limit_bytes: beyond
    which it is not read. connection: see builder.packages.connection.Connection.
    """

    name: str
    urls: list[str]
    path: str
    to: str
    connection: dict[str, Any]
    checksum: list[str] | None = None
    size_bytes: int = 0
    limit_bytes: int = 0
    causes: list[Cause] = field(default_factory=list)
    is_there: bool = False

    def __post_init__(self) -> None:
        # As dnf does it: to some stores a + is a blank.
        self.path = quote(self.path, safe="/")

    def waiting(self, tried: int, patience: Patience) -> list[str]:
        """Return the URLs that are worth another try after so many, the least tried first."""
        last = {cause.url: cause for cause in self.causes}
        worth = [url for url in self.urls
                 if (why := last.get(self.whole(url))) is None
                 or tried < patience.tries_of(why.kind)]
        return sorted(worth, key=self.failures)

    def failures(self, url: str) -> int:
        """Return how often a mirror failed."""
        return sum(cause.url == self.whole(url) for cause in self.causes)

    def whole(self, url: str) -> str:
        """Return the file's URL at a mirror, as causes name it: without a user."""
        return split_user(url)[0] + self.path


def emit(event: str, **content: Any) -> None:
    """Print one event for the parent."""
    print(json.dumps({"event": event, **content}), flush=True)


def fetch(
    targets: Sequence[Target], patience: Patience,
    on_done: Callable[[Target], None] = lambda target: None,
) -> None:
    """Fetch files, each from whichever of its mirrors gives it; see is_there and causes."""
    for tried, pause_s in enumerate(patience.pauses()):
        missing = [target for target in targets if not target.is_there]
        asked = [(target, urls) for target in missing if (urls := target.waiting(tried, patience))]
        if not asked:
            return
        again = [target.causes[-1] for target, urls in asked if target.failures(urls[0])]
        if again:
            emit("said", text=f"{again[-1]}; again in {pause_s:g} s")
            time.sleep(pause_s)
        _attempt(asked, patience, on_done)


def _attempt(
    asked: Sequence[tuple[Target, list[str]]], patience: Patience,
    on_done: Callable[[Target], None],
) -> None:
    """Ask each target's mirrors once."""
    handles: dict[str, Any] = {}
    started = [_target(target, urls, handles, patience, on_done) for target, urls in asked]
    librepo.download_packages(started, failfast=False)
    said = [cause for target, _ in asked for cause in target.causes]
    for target, _ in asked:
        # librepo leaves a mirror alone that failed others before: what they say counts.
        if not target.is_there and not target.causes:
            target.causes += said[-1:]


def _target(
    target: Target, urls: list[str], handles: dict[str, Any], patience: Patience,
    on_done: Callable[[Target], None],
) -> Any:
    bound_s, limit_bytes = patience.bound_s(target.size_bytes), (
        target.limit_bytes or target.size_bytes)
    begun_s, is_large = 0.0, False

    def on_progress(_: Any, total: float, now: float) -> int:
        nonlocal begun_s, is_large
        begun_s = begun_s or time.monotonic()
        is_large = bool(limit_bytes) and max(total, now) > limit_bytes
        is_over = is_large or time.monotonic() - begun_s > bound_s
        return int(librepo.CB_ABORT if is_over else librepo.CB_OK)

    def on_end(_: Any, status: int, said: str | None) -> None:
        size_bytes = Path(target.to).stat().st_size if Path(target.to).exists() else 0
        if status == librepo.TRANSFER_ERROR:
            return
        if limit_bytes and size_bytes > limit_bytes:  # it came at once
            target.causes.append(too_large(target.whole(urls[0]), limit_bytes))
            return
        target.is_there = True
        on_done(target)

    def on_failure(_: Any, said: str, url: str) -> None:
        nonlocal begun_s
        begun_s = 0.0  # the next mirror has its own time
        bare = split_user(url)[0]
        if is_large:
            cause = too_large(bare, limit_bytes)
        elif shutil.disk_usage(Path(target.to).parent).free < max(target.size_bytes, _FREE_BYTES):
            cause = disk_full(bare)  # librepo sees another checksum of what was not written
        else:
            cause = cause_of(bare, said, target.connection["proxy"], patience)
        target.causes.append(cause)

    key = json.dumps([urls, bool(target.path), target.connection], sort_keys=True)
    if key not in handles:
        handles[key] = _handle(urls if target.path else [], urls, target.connection, patience)
    kind, digits = target.checksum or ("", None)
    return librepo.PackageTarget(
        target.path or split_user(urls[0])[0], dest=target.to, handle=handles[key],
        checksum=digits, checksum_type=librepo.checksum_str_to_type(kind),
        expectedsize=target.size_bytes, progresscb=on_progress, endcb=on_end,
        mirrorfailurecb=on_failure)


def _handle(
    mirrors: list[str], urls: list[str], connection: dict[str, Any], patience: Patience,
) -> Any:
    """Return a handle. urls: whose user logs in; mirrors: those that a path is found below."""
    handle = librepo.Handle()
    parts = [split_user(url) for url in urls]
    if len({(user, password) for _, user, password in parts}) == 1 and parts[0][1] is not None:
        handle.userpwd = f"{parts[0][1]}:{parts[0][2]}"
        mirrors = [split_user(url)[0] for url in mirrors]
    if mirrors:  # where users differ they stay: a mirror must not be told what is another's
        handle.urls = mirrors
    handle.repotype = librepo.YUMREPO
    handle.connecttimeout = patience.connect_s
    handle.lowspeedtime, handle.lowspeedlimit = patience.stall_s, patience.least_bytes_per_s
    handle.allowedmirrorfailures = 1  # more tries are ours, after a pause
    handle.maxparalleldownloads = handle.maxdownloadspermirror = _PARALLEL
    handle.useragent = "ccis"
    handle.sslverifypeer = handle.sslverifyhost = 1 if connection["verify_tls"] else 0
    # libcurl does not look at the variable by itself.
    files = {**connection, "ca": connection["ca"] or os.environ.get("SSL_CERT_FILE")}
    for ours, theirs in (("proxy", "proxy"), ("ca", "sslcacert"), ("client_key", "sslclientkey"),
                         ("client_certificate", "sslclientcert")):
        if value := files[ours]:
            setattr(handle, theirs, value if ours == "proxy" else value.removeprefix("file://"))
    return handle
