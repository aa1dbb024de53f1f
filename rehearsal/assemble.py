"""Lays out the repository of a release: links into the pool, groups, repodata, signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from host.files import link_or_copy, staged_directory
from host.progress import Progress
from host.run import run
from rehearsal import cache
from rehearsal.comps import comps_xml
from rehearsal.mapping import Job
from rehearsal.signing import public_key, sign_detached
from rehearsal.version import RELEASES

REPOSITORIES = ("BaseOS", "AppStream")
KEY_FILE = "RPM-GPG-KEY-rehearsal"


def assemble(
    release: str, jobs: list[Job], keys: Mapping[str, str], root: Path, home: Path,
    facts: Mapping[str, Any], progress: Progress,
) -> None:
    """Make `root`/`release` anew, from packages in the pool; it appears whole or not at all.

    facts: what the repository's manifest will say about its inputs.
    """
    step = "rehearsal: repodata"
    progress.start(step, len(REPOSITORIES), "repositories")
    with staged_directory(root / release) as staging:
        for number, name in enumerate(REPOSITORIES, 1):
            folder = staging / name / "x86_64/os"
            packages = folder / "Packages"
            packages.mkdir(parents=True)
            mine = {job.name for job in jobs if job.entry.repo == name}
            for job in jobs:
                if job.name in mine:
                    (file,) = (root / "pool" / keys[job.name]).glob("*.rpm")
                    link_or_copy(file, packages / file.name)
            comps = staging / "comps.xml"
            comps.write_text(comps_xml(name))
            run(["createrepo_c", "--quiet", "--groupfile", comps, "--general-compress-type=gz",
                 "--revision=0", "--set-timestamp-to-revision", "--cachedir",
                 root / "createrepo", folder])
            comps.unlink()
            (folder / ".treeinfo").write_text(tree_info(name, release))
            repomd = folder / "repodata/repomd.xml"
            Path(f"{repomd}.asc").write_bytes(sign_detached(home, repomd, armor=True))
            Path(f"{repomd}.key").write_text(public_key(home))
            progress.advance(step, number, name)
        (staging / KEY_FILE).write_text(public_key(home))
        (staging / cache.MANIFEST).write_text(json.dumps(dict(facts), indent=1))
    progress.finish(step)


def tree_info(repository: str, release: str) -> str:
    """Return .treeinfo as CentOS's BaseOS has it: a kickstart's `url` leads to AppStream by it.

    Source: https://release-engineering.github.io/productmd/treeinfo-1.0.html
    """
    lines = ["[header]", "type = productmd.treeinfo", "version = 1.2",
             "[release]", "name = CentOS Stream", "short = CentOS Stream",
             f"version = {RELEASES[release]}",
             "[tree]", "arch = x86_64", "platforms = x86_64",
             f"variants = {','.join(sorted(REPOSITORIES))}"]
    for name in sorted(REPOSITORIES):
        place = "." if name == repository else f"../../../{name}/x86_64/os"
        lines += [f"[variant-{name}]", f"id = {name}", f"name = {name}", "type = variant",
                  f"packages = {'Packages' if place == '.' else f'{place}/Packages'}",
                  f"repository = {place}", f"uid = {name}"]
    return "\n".join(lines) + "\n"
