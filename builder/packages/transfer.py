"""Fetches from other hosts what repositories are made of: by librepo, in a process of its own.

Whatever comes from a mirror comes through here: indexes, lists of mirrors, metadata, packages,
keys. builder.packages.transfer_worker fetches in a sandbox, with the rules of host.patience; here
is how it is asked, and what is said when it fails.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from builder.packages.causes import Cause, summary
from builder.packages.connection import DIRECT, Connection
from builder.packages.worker import show_worker
from builder.sandbox.enclosure import Use, enclosure
from builder.sandbox.sandbox import NO_BYTECODE
from host import fetch as plain
from host.beneath.root import Root
from host.errors import HostError, RemoteError
from host.patience import Patience
from host.scratch import scratch_folder
from host.variables import AUTHORITIES, of_connections, search_path

log = logging.getLogger("ccis.transfer")

PATIENCE = Patience()
_CAUSES_SHOWN = 6
_WHOLE_S = 4 * 3600.0
"""For all files together, in which 500 MB come over a line of 35 kB/s; each has its own bound."""


@dataclass(frozen=True)
class Wanted:
    """A file of a repository. urls: of its mirrors, in the order in which they are asked.

    path: below a mirror; `to`: where it is put. checksum: kind ("sha256") and hexadecimal digits.
    """

    name: str
    urls: tuple[str, ...]
    path: str
    to: Path
    checksum: tuple[str, str] | None = None
    size_bytes: int = 0
    limit_bytes: int = 0
    connection: Connection = DIRECT


def is_near(url: str) -> bool:
    """Say whether a URL is a file of this host: it is read where it lies."""
    return url[:5].lower() == "file:"


def path_of(url: str) -> Path:
    """Return the path that a URL of a file of this host means, whatever characters are in it."""
    return Path(unquote(urlsplit(url).path))


def fetch(url: str, connection: Connection = DIRECT, patience: Patience = PATIENCE) -> bytes:
    """Return what a URL gives, which may be no more than host.fetch.LIMIT_BYTES.

    Raises RemoteError with the URL and the cause; InputError for a certificate or key that is no
    file with one in it.
    """
    if is_near(url):
        return plain.fetch(url)
    with scratch_folder("transfer") as folder:
        to = folder / "file"
        fetch_all([Wanted(url, (url,), "", to, limit_bytes=plain.LIMIT_BYTES,
                          connection=connection)], folder, "cannot be fetched", url, patience)
        return to.read_bytes()


def fetch_all(
    wanted: Sequence[Wanted], folder: Path, failing: str, where: str,
    patience: Patience = PATIENCE, on_progress: Callable[[str], None] | None = None,
    say: Callable[[str], None] = log.warning,
) -> None:
    """Fetch files into a folder, all of them.

    folder: the only one that is written. failing, where: of the error when one does not come.
    on_progress: is told what has come. say: is told of what is tried again.
    Raises RemoteError with each URL that failed and why.
    """
    question = {"mode": "files", "targets": [
        {**asdict(one), "urls": list(one.urls), "to": str(one.to)} for one in wanted]}
    connections = [one.connection for one in wanted]
    raise_failed(ask(question, folder, connections, patience, on_progress, say), failing, where)


def raise_failed(answer: Mapping[str, Any], failing: str, where: str) -> None:
    """Raise RemoteError unless all files of an answer came; with each URL that failed and why."""
    failed: dict[str, list[dict[str, Any]]] = answer["failed"]
    causes = [Cause(**cause) for found in failed.values() for cause in found]
    if answer["lies"]:
        raise RemoteError(failing, where=where, remedy="name another mirror",
                          why=f"its index leads elsewhere: {answer['lies'][0]}")
    if failed:
        count = f"{len(failed)} of {answer['total']} files; " if answer["total"] > 1 else ""
        error = HostError if any(one.is_ours for one in causes) else RemoteError
        raise error(failing, where=where, why=count + shortened(causes),
                    remedy="; ".join(dict.fromkeys(one.remedy for one in causes)))


def shortened(causes: Sequence[Cause]) -> str:
    """Return causes as one text: each of them once, and no more than a person reads."""
    kept = list(dict.fromkeys(causes))
    more = f"; and {len(kept) - _CAUSES_SHOWN} more" if len(kept) > _CAUSES_SHOWN else ""
    return f"{summary(kept[:_CAUSES_SHOWN])}{more}"


def ask(
    question: Mapping[str, Any], folder: Path, connections: Sequence[Connection],
    patience: Patience = PATIENCE, on_progress: Callable[[str], None] | None = None,
    say: Callable[[str], None] = log.warning,
) -> dict[str, Any]:
    """Ask the process that fetches, in a sandbox where it can write `folder` only."""
    for connection in connections:
        connection.check()
    answers: list[dict[str, Any]] = []

    def on_line(line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if event["event"] == "progress" and on_progress:
            on_progress(f"{event['note']} ({event['done']} of {event['total']} fetched)")
        elif event["event"] == "said":
            say(event["text"])
        elif event["event"] == "result":
            answers.append(event)

    asked = json.dumps({**question, "patience": asdict(patience)})
    use = Use("fetching from repositories", kind="packages", counted=(folder,), stdin=asked,
              on_line=on_line, time_s=_WHOLE_S)
    with enclosure(None) as made:
        made.kernel_folders("/")
        made.new_folder("/tmp")  # noqa: S108 – its own
        show_worker(made, [*_files(connections), *_authorities()])
        made.show(str(folder), folder, writable=True)
        made.run([sys.executable, "-m", "builder.packages.transfer_worker"], {
            "PATH": search_path(os.environ), "HOME": "/tmp", "LC_ALL": "C.UTF-8",  # noqa: S108
            **NO_BYTECODE, **_proxies(of_connections())}, use, network=True,
            folder=str(Path(__file__).parents[2]))
    if not answers:
        raise HostError("what fetches from repositories ended without an answer")
    for found in Root(folder).walk():  # it has read what strangers sent
        if not (found.is_file or found.is_folder):
            raise HostError("what fetches from repositories left something else than files",
                            where=found.path)
    return answers[-1]


def _proxies(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables with the names of proxies in small letters, too: libcurl takes HTTP_PROXY
    for a header of a request that a web server passes on (https://httpoxy.org/)."""
    small = {name.lower(): value for name, value in variables.items()
             if name.lower().endswith("_proxy")}
    return {**small, **variables}


def _files(connections: Sequence[Connection]) -> list[Path]:
    names = [name for connection in connections for name in connection.files]
    return [path for name in names if (path := Path(name.removeprefix("file://"))).is_file()]


def _authorities() -> list[Path]:
    """Return the caller's own files or folders of certificates."""
    return [Path(os.environ[name]) for name in AUTHORITIES if os.environ.get(name)]
