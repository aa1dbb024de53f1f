"""The process that speaks dnf: resolves or installs, as a request on standard input says.

It runs as a process of its own (`python -m builder.packages.dnf_worker`) inside a sandbox, because
dnf and rpm keep global state, chroot, and run the packages' scriptlets. One line with a JSON object
comes in, and GO when the packages are checked: no transaction begins without it. JSON lines go out:
{"event": "progress"|"note"|"result"|"error", …}. builder.packages.dnf_process is the only caller.
"""

from __future__ import annotations

import difflib
import gc
import json
import os
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import dnf
import dnf.callback
import dnf.comps
import dnf.conf
import dnf.exceptions
import dnf.module.module_base
import dnf.subject
import rpm

from builder.packages.dnf_lock import use_kernel_locks
from builder.packages.go import GO
from host.beneath.root import Root
from host.beneath.walk import look

_STATE = ("/usr/lib/sysimage", "/var/lib")
"""Where the databases of rpm and dnf lie in every release."""


def main() -> None:
    """Do what the request on standard input asks for and print one result or error."""
    request = json.loads(sys.stdin.readline())
    use_kernel_locks()
    request["metadata"] = _own_view(request["metadata"])
    try:
        result = _MODES[request["mode"]](request)
    except dnf.exceptions.MarkingErrors as error:
        emit("error", kind="unknown", packages=sorted(error.no_match_pkg_specs),
             groups=sorted(error.no_match_group_specs), near=getattr(error, "near", []),
             text=str(error).strip())
    except NotOnTopError as error:
        emit("error", kind="not-on-top", text=str(error))
    except ModuleError as error:
        emit("error", kind="module", specs=error.specs, known=error.known, text=error.text)
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


def _own_view(metadata: str) -> str:
    """Return a folder with what the metadata's has, where that can't be written.

    A transaction's scriptlets are not to change what later builds go by. dnf writes notes and
    locks beside the metadata, which nobody misses. Where there is none, dnf makes it anew.
    """
    with suppress(OSError):
        Path(metadata).mkdir(parents=True, exist_ok=True)
    if not Path(metadata).is_dir():
        return tempfile.mkdtemp()
    if os.access(metadata, os.W_OK):
        return metadata
    own = Path(tempfile.mkdtemp())
    for path in Path(metadata).iterdir():
        if path.is_dir() or path.suffix in (".solv", ".solvx"):
            (own / path.name).symlink_to(path)
    return str(own)


def emit(event: str, **content: Any) -> None:
    """Print one event for the parent."""
    print(json.dumps({"event": event, **content}), flush=True)


def resolve(request: dict[str, Any]) -> dict[str, Any]:
    """Choose the packages; nothing is fetched but metadata."""
    with tempfile.TemporaryDirectory() as empty:
        base = _opened(request, root=empty)
        required = _select(base, request)
        return {"packages": _chosen(base), "required": required}


def install(request: dict[str, Any]) -> dict[str, Any]:
    """Install the chosen packages into the root; they must be the ones that the plan names."""
    base = _opened(request, root=request["root"])
    _select(base, request)
    chosen = _chosen(base)
    if chosen != request["expected"]:
        raise dnf.exceptions.Error("the repositories changed since the plan was made; run again")
    return _carry_out(base, request["root"])


def add(request: dict[str, Any]) -> dict[str, Any]:
    """Install the packages that the plan names on top of those that the root has, and no others."""
    base = _opened(request, root=request["root"], on_top=True)
    base.conf.install_weak_deps = False  # what the plan names has them, or they are not wanted
    for row in request["expected"]:
        base.install(_exactly(row), strict=True)
    base.resolve()
    expected = {row["location"] for row in request["expected"]}
    surplus = [row["name"] for row in _chosen(base) if row["location"] not in expected]
    gone = sorted(str(package) for package in base.transaction.remove_set)
    if surplus or gone:
        raise NotOnTopError(surplus, gone)
    return _carry_out(base, request["root"])


class NotOnTopError(Exception):
    """The tree is not the one that the plan adds to: more is needed, or something must go."""

    def __init__(self, surplus: list[str], gone: list[str]) -> None:
        super().__init__("; ".join(
            f"{verb} {', '.join(names)}" for verb, names in
            (("they need", surplus), ("this would have to go:", gone)) if names))


def _exactly(row: dict[str, Any]) -> str:
    """Return the spec that means this package and no other build of it."""
    return "{name}-{epoch}:{version}-{release}.{arch}".format(**row)


def _carry_out(base: dnf.Base, root: str) -> dict[str, Any]:
    """Install what was chosen, whose files are all there, and leave whole databases.

    Only when the packages are known to be good: they are checked meanwhile.
    """
    if sys.stdin.readline() != GO:
        raise dnf.exceptions.Error("nobody said that the packages are good")
    display = _Transaction()
    base.do_transaction(display=display)
    base.close()
    del base
    _settle_databases(root)
    return {"problems": display.problems}


def _settle_databases(root: str) -> None:
    """Fold the write-ahead logs of rpm's and dnf's databases into them.

    Neither library does so when it ends, and a log beside a database is one more thing to lose.
    """
    gc.collect()  # the last references to the databases
    inside = Root(Path(root))  # with the kernel's folders in it, which nobody walks through
    for found in chain.from_iterable(map(inside.walk, _STATE)):
        name = found.name.removesuffix("-wal")
        if not (found.is_file and found.name.endswith(".sqlite-wal")):
            continue
        database = look(found.folder, name)
        if database is None or not stat.S_ISREG(database.st_mode):
            continue  # a scriptlet's, not rpm's
        connection = sqlite3.connect(f"/proc/self/fd/{found.folder}/{name}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def _opened(request: dict[str, Any], root: str, *, on_top: bool = False) -> dnf.Base:
    """Return dnf with our settings and the repositories' metadata.

    on_top: what the root's rpm database lists counts as installed.
    """
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
    conf.multilib_policy = "all" if request["multilib"] else "best"
    conf.gpgcheck = False  # builder.packages.install has checked every signature before
    conf.deltarpm = conf.zchunk = False  # builder.packages.near brings neither
    for entry in request["repositories"]:
        repository = dnf.repo.Repo(entry["id"], conf)
        repository.baseurl = entry["urls"]
        # Without a key nobody vouches for the repository, and somebody has allowed it.
        repository.repo_gpgcheck = entry["signed_metadata"] and entry["key"] is not None
        by = Path(entry["key"]).stem if entry["key"] else "nobody"
        if repository.repo_gpgcheck:
            # librepo remembers every key that it ever took, beside the metadata; what one key
            # vouched for is not what another vouches for, nor what nobody does.
            repository.basecachedir = f"{request['metadata']}/{by}"
        if entry["cache"]:  # it is removed with what it is made of
            repository.basecachedir = _own_view(f"{entry['cache']}/{by}")
        repository.gpgkey = [Path(entry["key"]).as_uri()] if entry["key"] else []
        repository.skip_if_unavailable = False
        repository.enablegroups = entry["with_groups"]
        repository.includepkgs = list(entry["included"])
        repository.excludepkgs = list(entry["excluded"])
        if entry["cost"] is not None:
            repository.cost = entry["cost"]
        # The plan has just compared repomd.xml with the mirror's; let dnf follow it.
        repository.metadata_expire = 0 if request["mode"] == "resolve" else -1
        base.repos.add(repository)
    base.fill_sack(load_system_repo=on_top)
    base.read_comps(arch_filter=True)
    return base


def _select(base: dnf.Base, request: dict[str, Any]) -> list[str | None]:
    """Mark what %packages names, through the call that Anaconda itself uses, and solve.

    Returns which package each requirement came to; None: no repository has one, or %packages
    excludes it.
    """
    _set_modules(base, request["modules"])
    required = [_available(base, one["names"]) for one in request["required"]]
    demanded = [name or one["names"][0] for name, one in
                zip(required, request["required"], strict=True) if name or not one["if_there"]]
    install = [*request["names"], *demanded]
    install += [_exactly(row) for row in request["pinned"]]
    install += [f"@{name}" for name in (_environment(base, request), *request["groups"]) if name]
    exclude = [*request["excluded"], *(f"@{name}" for name in request["excluded_groups"])]
    try:
        base.install_specs(install=install, exclude=exclude, strict=not request["ignore_broken"])
    except dnf.exceptions.MarkingErrors as error:
        # Exclusions that match nothing are no error (as in Anaconda), requests are.
        missing = [name for name in error.no_match_pkg_specs if name in install]
        groups = list(error.no_match_group_specs)
        others = error.error_pkg_specs or error.error_group_specs or error.module_depsolv_errors
        if others or ((missing or groups) and not request["ignore_missing"]):
            error.near = _near(base, missing, groups)
            raise
    base.resolve()
    return required


def _available(base: dnf.Base, names: list[str]) -> str | None:
    for name in names:
        if dnf.subject.Subject(name).get_best_query(base.sack, with_nevra=True):
            return name
    return None


def _environment(base: dnf.Base, request: dict[str, Any]) -> str | None:
    """Return the wanted environment; `--default` means the one that EL's Anaconda has as its own.

    Source: anaconda.conf, [Payload] default_environment; without it the first there is.
    """
    if not request["default_environment"]:
        return str(request["environment"]) if request["environment"] else None
    ids = [environment.id for environment in base.comps.environments]
    if "graphical-server-environment" in ids:
        return "graphical-server-environment"
    if not ids:
        raise dnf.exceptions.CompsError("any environment, which --default asks for")
    return str(ids[0])


class ModuleError(Exception):
    """A `module` line that can't be followed; known: the modules that there are."""

    def __init__(self, specs: list[str], known: list[str], text: str) -> None:
        super().__init__(text)
        self.specs, self.known, self.text = specs, known, text


def _set_modules(base: dnf.Base, modules: list[dict[str, Any]]) -> None:
    """Disable, then enable module streams, as Anaconda does before it chooses packages.

    Source: payload/dnf/dnf_manager.py, disable_modules and enable_modules.
    """
    if not modules:
        return
    module_base = dnf.module.module_base.ModuleBase(base)
    known = sorted({package.getNameStream() for package in
                    base._moduleContainer.getModulePackages()})
    for enable, act in ((False, module_base.disable), (True, module_base.enable)):
        specs = [one["spec"] for one in modules if bool(one["enable"]) == enable]
        if not specs:
            continue
        absent = [spec for spec in specs
                  if spec not in known and spec not in {one.partition(":")[0] for one in known}]
        if absent:
            raise ModuleError(absent, known, "")
        try:
            act(specs)
        except dnf.exceptions.MarkingErrors as error:
            wrong = sorted({*error.no_match_group_specs, *error.error_group_specs}) or specs
            raise ModuleError(wrong, known, str(error).strip()) from error


def _near(base: dnf.Base, missing: list[str], groups: list[str]) -> list[str]:
    """Return the names of packages and groups that look like what was asked for."""
    packages = sorted({package.name for package in base.sack.query()})
    ids = sorted({f"@{one.id}" for one in (*base.comps.groups, *base.comps.environments)})
    found = [near for name in missing for near in difflib.get_close_matches(name, packages, n=3)]
    return found + [near for name in groups for near in difflib.get_close_matches(name, ids, n=3)]


def _chosen(base: dnf.Base) -> list[dict[str, Any]]:
    """Return the packages of the transaction in a fixed order, with the RPMs' checksums."""
    rows = []
    for package in base.transaction.install_set:
        if package.baseurl and not package.baseurl.startswith("file:"):
            raise dnf.exceptions.RepoError(
                f"{package.reponame} says of {package} that it is elsewhere: {package.baseurl}")
        kind, digest = package.returnIdSum()
        rows.append({
            "name": package.name, "epoch": int(package.epoch), "version": package.version,
            "release": package.release, "arch": package.arch, "repository": package.reponame,
            "sha256": digest if kind == "sha256" else f"{kind}:{digest}",
            "size_bytes": package.downloadsize, "location": package.location,
            "build_time": package.buildtime,
        })
    return sorted(rows, key=lambda row: (row["name"], row["arch"], row["version"]))


class _Transaction(dnf.callback.TransactionProgress):  # type: ignore[misc]
    """Tells the parent which package is at hand and what scriptlets complain of."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self._last = 0

    def progress(
        self, package: Any, action: int, ti_done: int, ti_total: int, ts_done: int, ts_total: int,
    ) -> None:
        if ts_done is not None and ts_done != self._last:
            self._last = ts_done
            emit("progress", unit="packages", done=ts_done, total=ts_total, note=str(package))

    def scriptout(self, msgs: Iterable[str]) -> None:
        for message in msgs or []:
            for line in str(message).splitlines():
                emit("note", text=line)

    def error(self, message: str) -> None:
        self.problems.append(message)
        emit("note", text=message)


_MODES = {"resolve": resolve, "install": install, "add": add}

if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
