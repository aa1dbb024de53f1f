"""The process that fetches from repositories: librepo, dnf's own library, with our retries around.

It runs by itself (`python -m builder.packages.transfer_worker`) in a sandbox with the network,
where it can write one folder, because librepo, libcurl and libxml2 read what any mirror sends. A
question comes in as JSON (builder.packages.transfer.ask), JSON lines go out.

Each file is a target of librepo with all its mirrors: librepo goes from one to the next and checks
sums. What it does not do is here: waiting before another try, telling what passes by itself from
what does not, and ending a transfer that trickles. It shows no header of an answer, so Retry-After
is not obeyed to the second; the pauses double instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import librepo

from builder.packages.causes import Cause, cause_of, disk_full, too_large
from host.patience import Patience
from host.urls import is_inside, split_user

_PARALLEL = 6
_LIST_BYTES_MAX = 4 << 20
_FREE_BYTES = 64 << 10
_METADATA_BYTES_MAX = 1 << 30  # of a file whose size the index does not tell
METADATA = ("primary", "filelists", "group", "group_gz", "group_xz", "group_zst", "modules",
            "updateinfo")
"""What dnf reads of a repository (libdnf/repo/Repo.cpp), and comps.py; no zchunks, no deltas."""
_SCHEMES = ("http", "https", "ftp")
_INDEX = "repodata/repomd.xml"


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


def main() -> None:
    """Do what the question on standard input asks for and print one result."""
    question = json.load(sys.stdin)
    patience = Patience(**question["patience"])
    if question["mode"] == "indexes":
        emit("result", found=[indexes(source, patience) for source in question["sources"]])
        return
    lies: list[str] = []
    if question["mode"] == "metadata":
        targets = [target for repository in question["repositories"]
                   for target in metadata(repository, lies)]
    else:
        targets = [Target(**one) for one in question["targets"]]
    done = 0

    def on_done(target: Target) -> None:
        nonlocal done
        done += 1
        emit("progress", done=done, total=len(targets), note=target.name)

    fetch(targets, patience, on_done)
    emit("result", total=len(targets), lies=lies,
         failed={target.name: [asdict(cause) for cause in target.causes]
                 for target in targets if not target.is_there})


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
    setattr(handle, f"{kind}url", f"file://{target.to}")
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


if __name__ == "__main__":
    main()
