"""The packages of a root tree: chosen, fetched, checked and installed, each in its own process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.root.dnf_process import ask_dnf
from builder.root.request import Request
from builder.root.signatures import verify_signatures
from builder.store import Store
from builder.tree.places import check_kernel_folders
from builder.tree.sandbox import Sandbox
from builder.tree.tree import Tree
from host.beneath.root import Root
from host.progress import Progress
from images.bounds import Bounds
from images.record import Package

__all__ = [
    "Choice", "Request", "Resolution", "ask_dnf", "install", "resolution", "resolve", "rpm_files",
    "verify_signatures",
]

_CONFIGURATION = "/etc/dnf/dnf.conf"


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
    progress: Progress, bounds: Bounds | None = None,
) -> list[str]:
    """Install the chosen packages into an empty root and return what scriptlets complained of.

    Every RPM's digest and signature is checked with the release's key before anything runs.
    bounds: what the transaction with its scriptlets may use.
    """
    files = rpm_files(request, choices, store, progress)
    verify_signatures(files, request.key)
    for folder, mode in (("/dev", 0o755), ("/proc", 0o555), ("/sys", 0o555), ("/run", 0o755)):
        Root(root).make_folder(folder, mode)
    answer = ask_dnf(
        "install", request, store, progress=progress, root=root, epoch=epoch,
        expected=[choice.as_dnf_says() for choice in choices], bounds=bounds,
    )
    check_kernel_folders(root, "%packages")
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


