"""The process that speaks dnf: resolves, fetches or installs, as a request on standard input says.

It runs as a process of its own (`python -m builder.root.dnf_worker`) inside a sandbox, because
dnf and rpm keep global state, chroot, and run the packages' scriptlets. One JSON object comes in;
JSON lines go out: {"event": "progress"|"note"|"result"|"error", …}. builder.root.packages is the
only caller.
"""

from __future__ import annotations

import difflib
import gc
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dnf
import dnf.callback
import dnf.comps
import dnf.conf
import dnf.exceptions
import rpm


def main() -> None:
    """Do what the request on standard input asks for and print one result or error."""
    request = json.load(sys.stdin)
    try:
        result = _MODES[request["mode"]](request)
    except dnf.exceptions.MarkingErrors as error:
        emit("error", kind="unknown", packages=sorted(error.no_match_pkg_specs),
             groups=sorted(error.no_match_group_specs), near=getattr(error, "near", []),
             text=str(error).strip())
    except dnf.exceptions.CompsError as error:
        emit("error", kind="unknown", packages=[], groups=[], near=[], text=str(error))
    except dnf.exceptions.DepsolveError as error:
        emit("error", kind="unsolvable", text=str(error).strip())
    except (dnf.exceptions.RepoError, dnf.exceptions.DownloadError) as error:
        emit("error", kind="remote", text=str(error).strip())
    except (dnf.exceptions.Error, rpm.error, OSError) as error:
        emit("error", kind="transaction", text=f"{type(error).__name__}: {error}".strip())
    else:
        emit("result", **result)


def emit(event: str, **content: Any) -> None:
    """Print one event for the parent."""
    print(json.dumps({"event": event, **content}), flush=True)


def resolve(request: dict[str, Any]) -> dict[str, Any]:
    """Choose the packages; nothing is fetched but metadata."""
    with tempfile.TemporaryDirectory() as empty:
        base = _opened(request, root=empty)
        _select(base, request)
        return {"packages": _chosen(base), "unknown_ignored": []}


def fetch(request: dict[str, Any]) -> dict[str, Any]:
    """Download the chosen packages into the cache and say where each one lies."""
    with tempfile.TemporaryDirectory() as empty:
        base = _opened(request, root=empty)
        _select(base, request)
        wanted = list(base.transaction.install_set)
        base.download_packages(wanted, progress=_Download())
        return {"files": {str(package): package.localPkg() for package in wanted}}


def install(request: dict[str, Any]) -> dict[str, Any]:
    """Install the chosen packages into the root; they must be the ones that the plan names."""
    base = _opened(request, root=request["root"])
    _select(base, request)
    chosen = _chosen(base)
    if chosen != request["expected"]:
        raise dnf.exceptions.Error("the repositories changed since the plan was made; run again")
    display = _Transaction()
    base.download_packages(list(base.transaction.install_set))
    base.do_transaction(display=display)
    base.close()
    del base
    _settle_databases(request["root"])
    return {"problems": display.problems}


def _settle_databases(root: str) -> None:
    """Fold the write-ahead logs of rpm's and dnf's databases into them.

    Neither library does so when it ends, and a log beside a database is one more thing to lose.
    """
    gc.collect()  # the last references to the databases
    for path in sorted(Path(root).glob("**/*.sqlite-wal")):
        connection = sqlite3.connect(path.with_name(path.name.removesuffix("-wal")))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def _opened(request: dict[str, Any], root: str) -> dnf.Base:
    conf = dnf.conf.Conf()  # our own: Base() would ask the host's rpm database for a release
    base = dnf.Base(conf)
    conf.installroot = root
    conf.cachedir = request["metadata"]
    conf.persistdir = f"{root}/var/lib/dnf"
    conf.logdir = tempfile.gettempdir()
    conf.plugins = False
    conf.config_file_path = ""
    conf.reposdir = []
    conf.varsdir = []
    conf.substitutions.update({"releasever": request["version"]})
    conf.substitutions["arch"] = conf.substitutions["basearch"] = request["arch"]
    conf.arch = conf.basearch = request["arch"]
    conf.module_platform_id = f"platform:el{request['version']}"
    conf.install_weak_deps = request["with_weak"]
    conf.strict = not request["ignore_broken"]
    conf.tsflags = [] if request["with_docs"] else ["nodocs"]
    conf.multilib_policy = "best"
    conf.gpgcheck = False  # builder.root.packages has checked every signature before
    conf.retries, conf.timeout, conf.max_parallel_downloads = 3, 30, 6
    for entry in request["repositories"]:
        repository = dnf.repo.Repo(entry["id"], conf)
        repository.baseurl = entry["urls"]
        repository.repo_gpgcheck = entry["signed_metadata"]
        repository.gpgkey = [f"file://{request['key']}"]
        repository.skip_if_unavailable = False
        # The plan has just compared repomd.xml with the mirror's; let dnf follow it.
        repository.metadata_expire = 0 if request["mode"] == "resolve" else -1
        base.repos.add(repository)
    base.fill_sack(load_system_repo=False)
    base.read_comps(arch_filter=True)
    return base


def _select(base: dnf.Base, request: dict[str, Any]) -> None:
    """Mark what %packages names, through the call that Anaconda itself uses, and solve."""
    install = list(request["names"])
    if request["environment"]:
        install.append(f"@^{request['environment']}")
    for group in request["groups"]:
        if group["kinds"] == ["mandatory", "default"]:
            install.append(f"@{group['name']}")
        else:
            found = base.comps.group_by_pattern(group["name"])
            if found is None:
                raise dnf.exceptions.CompsError(f"there is no group {group['name']!r}")
            base.group_install(found.id, tuple(group["kinds"]), exclude=request["excluded"])
    exclude = [*request["excluded"], *(f"@{name}" for name in request["excluded_groups"])]
    try:
        base.install_specs(install=install, exclude=exclude, strict=not request["ignore_broken"])
    except dnf.exceptions.MarkingErrors as error:
        # Exclusions that match nothing are no error (as in Anaconda), requests are.
        missing = [name for name in error.no_match_pkg_specs if name in request["names"]]
        groups = [name for name in error.no_match_group_specs if name in install]
        others = error.error_pkg_specs or error.error_group_specs or error.module_depsolv_errors
        if others or ((missing or groups) and not request["ignore_missing"]):
            error.near = _near(base, missing)
            raise
    base.resolve()


def _near(base: dnf.Base, missing: list[str]) -> list[str]:
    """Return the names of packages that look like what was asked for."""
    known = sorted({package.name for package in base.sack.query()})
    return [near for name in missing for near in difflib.get_close_matches(name, known, n=3)]


def _chosen(base: dnf.Base) -> list[dict[str, Any]]:
    """Return the packages of the transaction in a fixed order, with the RPMs' checksums."""
    rows = []
    for package in base.transaction.install_set:
        kind, digest = package.returnIdSum()
        rows.append({
            "name": package.name, "epoch": int(package.epoch), "version": package.version,
            "release": package.release, "arch": package.arch, "repository": package.reponame,
            "sha256": digest if kind == "sha256" else f"{kind}:{digest}",
            "size_bytes": package.downloadsize, "location": package.location,
            "build_time": package.buildtime,
        })
    return sorted(rows, key=lambda row: (row["name"], row["arch"], row["version"]))


class _Download(dnf.callback.DownloadProgress):  # type: ignore[misc]
    """Tells the parent how many bytes have come."""

    def start(self, total_files: int, total_size: int, total_drpms: int = 0) -> None:
        self._total, self._done = total_size, dict[str, int]()

    def progress(self, payload: Any, done: int) -> None:
        self._done[str(payload)] = done
        emit("progress", unit="bytes", done=sum(self._done.values()), total=self._total,
             note=str(payload))


class _Transaction(dnf.callback.TransactionProgress):  # type: ignore[misc]
    """Tells the parent which package is at hand and what scriptlets complain of."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self._last = 0

    def progress(
        self, package: Any, action: int, ti_done: int, ti_total: int, ts_done: int, ts_total: int,
    ) -> None:
        if ts_done != self._last:
            self._last = ts_done
            emit("progress", unit="packages", done=ts_done, total=ts_total, note=str(package))

    def scriptout(self, msgs: Iterable[str]) -> None:
        for message in msgs or []:
            for line in str(message).splitlines():
                emit("note", text=line)

    def error(self, message: str) -> None:
        self.problems.append(message)
        emit("note", text=message)


_MODES = {"resolve": resolve, "fetch": fetch, "install": install}

if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
