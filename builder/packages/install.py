"""The packages of a root tree: chosen, fetched, checked and installed, each in its own process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.packages.choice import Choice
from builder.packages.dnf_process import ask_dnf
from builder.packages.near import rpm_files
from builder.packages.selection import Selection
from builder.packages.vouching import verify_packages
from builder.sandbox.places import check_kernel_folders
from builder.sandbox.sandbox import Sandbox
from builder.store.store import Store
from builder.tree.tree import Tree
from host.beneath.root import Root
from host.progress import Progress
from images.bounds import Bounds

_CONFIGURATION = "/etc/dnf/dnf.conf"


def install(
    selection: Selection, choices: Sequence[Choice], root: Path, store: Store, epoch: int,
    progress: Progress, bounds: Bounds | None = None,
) -> list[str]:
    """Install the chosen packages into an empty root and return what scriptlets complained of.

    Every RPM's digest and signature is checked with its repository's key, while dnf starts, before
    anything is installed.
    bounds: what the transaction with its scriptlets may use.
    """
    files = rpm_files(selection, choices, store, progress)
    for folder, mode in (("/dev", 0o755), ("/proc", 0o555), ("/sys", 0o555), ("/run", 0o755)):
        Root(root).make_folder(folder, mode)
    answer = ask_dnf(
        "install", selection, store, progress=progress, root=root, epoch=epoch,
        expected=[choice.as_dnf_says() for choice in choices], bounds=bounds,
        check=lambda: verify_packages(selection, choices, files),
    )
    check_kernel_folders(root, "%packages")
    _write_beside(selection, Tree(root, Sandbox(root, epoch)))
    return [str(problem) for problem in answer["problems"]]


def _write_beside(selection: Selection, tree: Tree) -> None:
    """Write what Anaconda leaves besides the packages: `repo --install`, --multilib.

    Source: payload/dnf/installation.py, WriteRepositoriesTask and UpdateDNFConfigurationTask.
    """
    for path, text in selection.files.items():
        tree.write(path, text)
    if selection.kickstart.packages.multilib and tree.exists(_CONFIGURATION):
        text = tree.read(_CONFIGURATION).rstrip("\n")
        tree.write(_CONFIGURATION, f"{text}\nmultilib_policy=all\n")
