"""Fetches Debian packages through apt, which checks them against its signed lists."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from host.progress import Progress
from host.run import run
from rehearsal.debian import APT_OPTIONS, DebianPackage, Index


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
    """Return the name that apt-get gives the file of a package."""
    version = package.version.replace(":", "%3a")
    return f"{package.name}_{version}_{package.arch}.deb"


def _fetch(
    missing: list[str], index: Index, folder: Path, step: str, progress: Progress,
) -> Path:
    fetched = folder / ".new"
    shutil.rmtree(fetched, ignore_errors=True)
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
        cwd=fetched, on_line=watch)
    return fetched
