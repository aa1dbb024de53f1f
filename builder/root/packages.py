"""The packages of a root tree: chosen, fetched, checked and installed, each in its own process."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from builder.root.nosync import filter_file
from builder.root.package_errors import error_of
from builder.root.repositories import Snapshot
from builder.root.request import Request
from builder.root.signatures import verify_signatures
from builder.store import Store
from builder.tree.sandbox import NO_BYTECODE, Sandbox, isolation
from builder.tree.tree import Tree
from host.beneath.root import Root
from host.errors import HostError
from host.progress import Progress
from host.run import run
from host.urls import split_user
from host.variables import of_connections
from images.record import Package

__all__ = [
    "Choice", "Request", "Resolution", "ask_dnf", "install", "resolution", "resolve", "rpm_files",
    "verify_signatures",
]

_TIMEOUT_S = 3600
_HOME = "/run/home"
_CONFIGURATION = "/etc/dnf/dnf.conf"
_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Choice:
    """A package that was chosen: its record, and where its RPM lies in its repository.

    build_time: when the RPM was built, in seconds since 1970.
    """

    record: Package
    size_bytes: int
    location: str
    build_time: int

    def as_dnf_says(self) -> dict[str, Any]:
        """Return the row that the worker printed, to be compared with what it installs."""
        return {**self.record.model_dump(), "size_bytes": self.size_bytes,
                "location": self.location, "build_time": self.build_time}


@dataclass(frozen=True)
class Resolution:
    """What dnf chose.

    added: names that a rule added, each with the reason.
    absent: what a rule would add and no repository has, which is no error: where the rule comes
    from (file:line), and what to tell a person.
    """

    choices: list[Choice]
    added: list[tuple[str, str]]
    absent: list[tuple[str, str]]


def resolve(request: Request, store: Store) -> list[Choice]:
    """Return the packages that the kickstart's wish comes to; see resolution()."""
    return resolution(request, store).choices


def resolution(request: Request, store: Store) -> Resolution:
    """Return the packages that the kickstart's wish comes to, dependencies included.

    The answer is kept: it is asked anew only when the wish or a repository changes.
    Raises InputError for a package, group or module that no repository has (with near names)
    and for a wish that can't be met; RemoteError when metadata can't be had or is not signed
    right.
    """
    def fill(folder: Path) -> None:
        answer = ask_dnf("resolve", request, store)
        (folder / "packages.json").write_text(json.dumps(answer), encoding="utf-8")

    entry, _ = store.make(
        "resolution", request.digest(), inputs={}, label="", fill=fill,
    )
    answer = json.loads((entry.data / "packages.json").read_text(encoding="utf-8"))
    choices = [
        Choice(Package(**{key: row[key] for key in Package.model_fields}), row["size_bytes"],
               row["location"], row["build_time"])
        for row in answer["packages"]
    ]
    added = [(name, one.reason)
             for one, name in zip(request.requirements, answer["required"], strict=True) if name]
    absent = [(one.where or str(request.kickstart.path),
               f"no repository has {' or '.join(one.names)}, added elsewhere because of this: "
               f"{one.reason}")
              for one, name in zip(request.requirements, answer["required"], strict=True)
              if not name]
    return Resolution(choices, added, absent)


def install(
    request: Request, choices: Sequence[Choice], root: Path, store: Store, epoch: int,
    progress: Progress,
) -> list[str]:
    """Install the chosen packages into an empty root and return what scriptlets complained of.

    Every RPM's digest and signature is checked with the release's key before anything runs.
    """
    files = rpm_files(request, choices, store, progress)
    verify_signatures(files, request.key)
    for folder, mode in (("/dev", 0o755), ("/proc", 0o555), ("/sys", 0o555), ("/run", 0o755)):
        Root(root).make_folder(folder, mode)
    answer = ask_dnf(
        "install", request, store, progress=progress, root=root, epoch=epoch,
        expected=[choice.as_dnf_says() for choice in choices],
    )
    _write_beside(request, Tree(root, Sandbox(root, epoch)))
    return [str(problem) for problem in answer["problems"]]


def _write_beside(request: Request, tree: Tree) -> None:
    """Write what Anaconda leaves besides the packages: `repo --install`, --multilib.

    Source: payload/dnf/installation.py, WriteRepositoriesTask and UpdateDNFConfigurationTask.
    """
    for path, text in request.files.items():
        tree.write(path, text)
    if request.kickstart.packages.multilib and tree.exists(_CONFIGURATION):
        text = tree.read(_CONFIGURATION).rstrip("\n")
        tree.write(_CONFIGURATION, f"{text}\nmultilib_policy=all\n")


def rpm_files(
    request: Request, choices: Sequence[Choice], store: Store, progress: Progress,
) -> list[Path]:
    """Return the RPM files of the choices; those of remote repositories are fetched first."""
    roots = {snapshot.id: snapshot.urls[0] for snapshot in request.snapshots}
    if all(url.startswith("file://") for url in roots.values()):
        return [
            Path(roots[choice.record.repository].removeprefix("file://")) / choice.location
            for choice in choices
        ]
    answer = ask_dnf("fetch", request, store, progress=progress)
    return [Path(path) for path in answer["files"].values()]


def ask_dnf(
    mode: str, request: Request, store: Store, *, progress: Progress | None = None,
    root: Path | None = None, epoch: int = 0, expected: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Run dnf's process in a sandbox where only the cache and the root can be written.

    mode: what builder.root.dnf_worker is to do; the answer is its result. expected: the rows that
    it must come to. Raises what builder.root.package_errors makes of its complaints.
    """
    question = {
        "mode": mode, "root": str(root), "metadata": str(store.metadata),
        "key": str(request.key), "expected": list(expected), **request.selection(),
        "repositories": [_as_asked(snapshot) for snapshot in request.snapshots],
        "timeout_s": request.kickstart.packages.timeout_s,
        "retries": request.kickstart.packages.retries,
    }
    events: list[dict[str, Any]] = []

    def on_line(line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if event["event"] == "progress" and progress:
            progress.advance("packages", event["done"], event["note"])
        elif event["event"] in ("result", "error"):
            events.append(event)

    words: list[str | Path] = [
        "bwrap", "--ro-bind", "/", "/", *isolation("/"),
        "--tmpfs", "/tmp",  # noqa: S108 – librepo writes there whatever TMPDIR says
    ]
    seen = (_PROJECT, Path(sys.prefix), request.key, *_local_folders(request),
            *_connection_files(request))
    for visible in seen:
        words += ["--ro-bind", visible, visible]  # also when it lies in /tmp
    words += ["--bind", store.metadata, store.metadata]
    if root:  # scriptlets run in it: they see its own kernel folders and no network
        words += ["--bind", root, root, *isolation(str(root)), "--unshare-net"]
    with filter_file() as descriptor, _rpm_macros(request) as macros:
        words += ["--ro-bind", macros, f"{_HOME}/.rpmmacros", "--setenv", "HOME", _HOME,
                  "--unsetenv", "TMPDIR", "--unsetenv", "TZ"]
        run(
            [*words, "--seccomp", str(descriptor), "--", sys.executable, "-m",
             "builder.root.dnf_worker"],
            stdin=json.dumps(question), timeout_s=_TIMEOUT_S, on_line=on_line,
            env=_environment(mode, epoch), pass_fds=[descriptor], cwd=_PROJECT,
        )
    if not events:
        raise HostError("dnf ended without an answer", where=mode)
    if events[-1]["event"] == "error":
        raise error_of(events[-1], request)
    return events[-1]


def _as_asked(snapshot: Snapshot) -> dict[str, Any]:
    """Return a repository for dnf, its user and password apart from the URLs.

    dnf names the folders of its cache after a digest of the URL, and its errors quote it. Where
    the URLs have different users they stay in them: dnf knows one for all, and a mirror must not
    be told what is another's.
    """
    asked = asdict(snapshot)
    parts = [split_user(url) for url in snapshot.urls]
    if len({(user, password) for _, user, password in parts}) == 1 and parts[0][1] is not None:
        asked |= {"urls": [url for url, _, _ in parts], "user": parts[0][1],
                  "password": parts[0][2]}
    return asked


def _environment(mode: str, epoch: int) -> dict[str, str]:
    """Return what the process has for an environment besides that of every program.

    Scriptlets have theirs from there: without a TMPDIR, whose folder is not in the tree, and
    without proxies, which may have passwords; only what fetches gets these.
    """
    return {
        **NO_BYTECODE, **({"SOURCE_DATE_EPOCH": str(epoch)} if epoch else {}),
        **(of_connections() if mode in ("resolve", "fetch") else {}),
    }


@contextmanager
def _rpm_macros(request: Request) -> Iterator[Path]:
    """Yield a file of rpm's settings for the transaction.

    It is found as ~/.rpmmacros, because libdnf has rpm read its configuration anew, which undoes
    what a program sets by itself. The database must lie where the target's own rpm looks, in the
    format that it reads; Debian's rpm would put it into root's home.
    """
    lines = [f"%_dbpath {request.release.rpm_database}", "%_db_backend sqlite",
             "%_netsharedpath /sys:/proc"]
    languages = request.kickstart.packages.languages
    if languages is not None:  # an empty list is none at all
        lines.append(f"%_install_langs {':'.join(languages.replace(',', ' ').split()) or '%{nil}'}")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        yield Path(file.name)


def _local_folders(request: Request) -> list[Path]:
    urls = [url for snapshot in request.snapshots for url in snapshot.urls]
    folders = [Path(url.removeprefix("file://")) for url in urls if url.startswith("file://")]
    return [folder for folder in folders if folder.is_dir()]


def _connection_files(request: Request) -> list[Path]:
    names = [name for snapshot in request.snapshots for name in snapshot.connection.files]
    return [path for name in names if (path := Path(name.removeprefix("file://"))).is_file()]
