"""Names, places and lifetimes of the TUF metadata of a tree (https://theupdateframework.io).

    root/tuf/<n>.root.json        who may sign what; signed by a threshold of offline keys
            /<n>.targets.json     delegates each release folder to a role of its own
            /<n>.<role>.json      the files of a release folder, with sizes and SHA-256
            /<n>.snapshot.json    which versions of those belong together
            /timestamp.json       which snapshot is the newest: the one file that is replaced
            /index/<role>.<revision>.json   the folder's index.json, under a name of its own

What is on the way to a file never changes under its name, but for timestamp.json: so whoever reads
in the middle of a publication gets the old state or the new.
"""

from __future__ import annotations

import re

from publish.model import Index

FOLDER = "tuf"
TIMESTAMP = "timestamp.json"
DAYS = {"root": 365, "targets": 90, "release": 90, "snapshot": 14, "timestamp": 3}
"""How long what a role signed is believed. The timestamp is what limits for how long somebody can
keep news from readers: `ccis trust renew` makes a new one, once a day."""

KEPT_VERSIONS = 3
GRACE_S = 86400
"""So many versions of a role's file stay, and those of the last day, for readers that began before
the newest was there."""

_SAFE = re.compile(r"[A-Za-z0-9._+-]{1,255}")


def role_of(path: str) -> str:
    """Return the role of a release folder, by its path; it is a file's name, too."""
    role = path.replace("/", "--")
    if not _SAFE.fullmatch(role):
        raise ValueError(f"{path} is too long for the name of a role")
    return role


def index_target(path: str, revision: int) -> str:
    """Return the path of the copy of a folder's index that has its revision in its name."""
    return f"{FOLDER}/index/{role_of(path)}.{revision}.json"


def patterns(path: str) -> list[str]:
    """Return what the role of a folder may speak about, as TUF matches paths."""
    return [f"{path}/*", f"{FOLDER}/index/{role_of(path)}.*.json"]


def targets_of(index: Index) -> dict[str, tuple[int, str, dict[str, object]]]:
    """Return what TUF says of a folder's files: size, SHA-256 and what the index knows, by path.

    Builds that are about to leave are not among them: who asks now does not get what goes soon.
    """
    found: dict[str, tuple[int, str, dict[str, object]]] = {}
    for build in index.builds:
        found |= {f"{index.path}/{document.file}": (document.size_bytes, document.sha256, {})
                  for document in build.documents}
        for file in build.served if build.leaves is None else []:
            about: dict[str, object] = {"channel": build.channel, "aliases": file.aliases}
            found[f"{index.path}/{file.file}"] = (file.size_bytes, file.sha256, about)
    return found
