"""Indexes and lists of mirrors, read by librepo: part of the process that fetches."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import librepo

from builder.packages.causes import Cause
from builder.packages.targets import Target, emit, fetch
from host.patience import Patience
from host.urls import is_inside

_LIST_BYTES_MAX = 4 << 20
_METADATA_BYTES_MAX = 1 << 30  # of a file whose size the index does not tell
METADATA = ("primary", "filelists", "group", "group_gz", "group_xz", "group_zst", "modules",
            "updateinfo")
"""What dnf reads of a repository (libdnf/repo/Repo.cpp), and comps.py; no zchunks, no deltas."""
_SCHEMES = ("http", "https", "ftp")
_INDEX = "repodata/repomd.xml"


def indexes(source: dict[str, Any], patience: Patience) -> dict[str, Any]:
    """Fetch a repository's repomd.xml, and its signature, from the first mirror with good ones.

    source: id, urls, mirrors (kind and URL of a list, or None), is_signed, connection, folder.
    Returns the mirror and the others, or no mirror and the causes.
    """
    folder, connection = source["folder"], source["connection"]
    urls, digests, causes = list(source["urls"]), set[str](), list[Cause]()
    if source["mirrors"]:
        kind, url = source["mirrors"]
        more, digests, causes = _listed(kind, url, folder, connection, patience)
        urls += more
    urls = [f"{url.rstrip('/')}/" for url in urls]
    dead = set[str]()
    for pause_s in patience.pauses():
        waiting = [url for url in urls if url not in dead]
        if not waiting:
            break
        if pause_s:
            emit("said", text=f"{causes[-1]}; again in {pause_s:g} s")
            time.sleep(pause_s)
        for url in waiting:
            found = _index_of(url, source, digests, patience)
            if found is None:
                return {"urls": [url, *(one for one in urls if one != url)], "causes": []}
            causes.append(found)
            asked = sum(cause.url == found.url for cause in causes)
            if asked >= patience.tries_of(found.kind):
                dead.add(url)
    return {"urls": [], "causes": [asdict(cause) for cause in causes]}


def _index_of(
    url: str, source: dict[str, Any], digests: set[str], patience: Patience,
) -> Cause | None:
    """Fetch the index of one mirror; return why it is not to be used, None when it is."""
    folder = source["folder"]
    once = Patience(**{**asdict(patience), "tries": 1, "tries_slow": 1})
    names = [_INDEX, *([f"{_INDEX}.asc"] if source["is_signed"] else [])]
    targets = [Target(name, [url], name, f"{folder}/{Path(name).name}", source["connection"],
                      limit_bytes=source["limit_bytes"]) for name in names]
    for target in targets:  # one after the other: the second may not be there
        fetch([target], once)
        if not target.is_there:
            return target.causes[-1]
    whole, remedy = url + _INDEX, "name another mirror"
    if not _is_index(Path(folder)):
        return Cause(whole, "is not a repository's index", "slow", remedy)
    if digests and _sha256(Path(folder, "repomd.xml")) not in digests:
        return Cause(whole, "is not the index that the metalink names: the mirror is behind",
                     "final", remedy)
    return None


def _is_index(folder: Path) -> bool:
    """Say whether librepo takes a folder's repomd.xml for one; it looks below repodata/."""
    place = folder / "as-repository"
    (place / "repodata").mkdir(parents=True, exist_ok=True)
    (place / _INDEX).write_bytes((folder / "repomd.xml").read_bytes())
    try:
        _records(place)
    except librepo.LibrepoException:
        return False
    return True


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a repomd.xml, by their kinds."""
    handle, result = librepo.Handle(), librepo.Result()
    handle.urls, handle.local, handle.repotype = [str(folder)], True, librepo.YUMREPO
    handle.yumdlist = librepo.YUM_REPOMDONLY
    handle.perform(result)
    records: dict[str, dict[str, Any]] = result.rpmmd_repomd["records"]
    return records


def metadata(repository: dict[str, Any], lies: list[str]) -> list[Target]:
    """Return the files of metadata that dnf reads, as a repository's repomd.xml names them.

    repository: urls, connection, and folder, where repodata/repomd.xml is. lies: what leads out of
    the repository's folder is added to them.
    """
    folder = Path(repository["folder"])
    targets = []
    for kind, record in _records(folder).items():
        place = record["location_href"] or ""
        if kind not in METADATA:
            continue
        if not is_inside(place):
            lies.append(f"{kind} is said to be at {place!r}")
            continue
        to = folder / place
        to.parent.mkdir(parents=True, exist_ok=True)
        targets.append(Target(
            place, repository["urls"], place, str(to), repository["connection"],
            [record["checksum_type"], record["checksum"]], record["size"],
            record["size"] or _METADATA_BYTES_MAX))
    return targets


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _listed(
    kind: str, url: str, folder: str, connection: dict[str, Any], patience: Patience,
) -> tuple[list[str], set[str], list[Cause]]:
    """Return the mirrors that a list names, best first, and the SHA-256 that their index may have.

    A list from the network names no file of a host.
    """
    target = Target("list", [url], "", f"{folder}/list", connection, limit_bytes=_LIST_BYTES_MAX)
    fetch([target], patience)
    if not target.is_there:
        return [], set(), target.causes
    handle = librepo.Handle()
    handle.fetchmirrors, handle.repotype = True, librepo.YUMREPO
    setattr(handle, f"{kind}url", Path(target.to).as_uri())
    try:
        handle.perform()
    except librepo.LibrepoException as error:
        return [], set(), [Cause(url, f"is no {kind}: {error.args[1]}", "final",
                                 "check the URL of the list")]
    mirrors, digests = list(handle.mirrors or []), set[str]()
    if kind == "metalink":
        said = handle.metalink
        mirrors = [one["url"].removesuffix(_INDEX)
                   for one in sorted(said.get("urls") or [], key=lambda one: -one["preference"])
                   if one["url"].endswith(_INDEX)]
        digests = {digits for each in (said, *(said.get("alternates") or []))
                   for name, digits in each.get("hashes") or [] if name == "sha256"}
    mirrors = [one for one in mirrors if one.partition(":")[0].lower() in _SCHEMES]
    wrong = [] if mirrors else [Cause(url, "names no mirror", "final", "check the URL of the list")]
    return mirrors, digests, wrong
