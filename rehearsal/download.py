"""Fetches Debian packages through apt, which checks them against its signed lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from host.beneath.remove import remove_tree
from host.errors import InputError
from host.progress import Progress
from host.run import run
from host.variables import of_connections
from rehearsal.debian import APT_OPTIONS, DebianPackage, Index

_NAME = re.compile(r"[a-z0-9][A-Za-z0-9.+~%_-]*")  # deb-version(7), and what apt quotes in it


def download(
    names: Iterable[str], index: Index, folder: Path, progress: Progress,
) -> dict[str, Path]:
    """Return where each package's file is, fetching those that are missing into `folder`.

    Raises ProgramError when apt-get fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: folder / file_name(index.packages[name]) for name in sorted(names)}
    missing = [name for name, path in found.items() if not path.exists()]
    if missing:
        step = "rehearsal: download"
        progress.start(step, len(missing), "packages")
        fetched = _fetch(missing, index, folder, step, progress)
        for name in missing:
            (fetched / file_name(index.packages[name])).rename(found[name])
        fetched.rmdir()
        progress.finish(step)
    return found


def file_name(package: DebianPackage) -> str:
    """Return the name that apt-get gives the file of a package.

    Raises InputError for a version or architecture that is no part of a name.
    """
    version = package.version.replace(":", "%3a")
    name = f"{package.name}_{version}_{package.arch}.deb"
    if not _NAME.fullmatch(name):
        raise InputError("Debian's index names a package as none can be named",
                         where=repr(name)[:200])
    return name


def _fetch(
    missing: list[str], index: Index, folder: Path, step: str, progress: Progress,
) -> Path:
    fetched = folder / ".new"
    remove_tree(fetched)
    fetched.mkdir()
    done = 0

    def watch(line: str) -> None:
        nonlocal done
        if line.startswith("Get:"):
            done += 1
            progress.advance(step, done, line.split(" ")[-4] if line.count(" ") > 4 else "")

    # The sandbox user of apt may not write into root's cache.
    run(["apt-get", *APT_OPTIONS, "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3",
         "download", *(f"{name}={index.packages[name].version}" for name in missing)],
        cwd=fetched, on_line=watch, env=of_connections())
    return fetched
