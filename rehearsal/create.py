"""Makes the repository of a release: plan, download, convert, assemble; each only where needed."""

from __future__ import annotations

import json
from pathlib import Path

from host.beneath.remove import remove_tree
from host.files import write_atomically
from host.locks import locked
from host.progress import Progress, Silent
from rehearsal import cache
from rehearsal.version import RELEASES


def create(release: str, progress: Progress | None = None) -> Path:
    """Make the repository of a release, unless it is there and current, and return its folder.

    Safe beside other calls; a killed call leaves nothing that a later one would take for whole.
    Raises InputError for an unknown release or a wrong table, HostError when apt, createrepo_c,
    gpg or another program is not there or fails.
    """
    cache.check(release)
    progress = progress or Silent()
    folder = cache.root() / release
    if cache.is_current(release):
        return folder
    with locked(cache.root() / "lock"):
        if not cache.is_current(release):
            _create(release, progress)
    return folder


def _create(release: str, progress: Progress) -> None:
    # Imported here, because a call that finds everything current must not pay for it.
    from rehearsal import assemble, build
    from rehearsal.debian import load_index
    from rehearsal.download import download
    from rehearsal.mapping import plan
    from rehearsal.signing import key_ring
    from rehearsal.table import load_table

    root = cache.root()
    source, lists = cache.source_digest(), cache.lists_digest()
    progress.start("rehearsal: plan")
    table, index = load_table(), load_index()
    jobs = plan(table, index)
    progress.finish("rehearsal: plan", note=f"{len(jobs)} packages")
    wanted = {deb for job in jobs for deb in job.debs} | set(table.common.build_debs)
    debs = download(wanted, index, root / "debs", progress)
    with key_ring(root) as home:
        keys = {job.name: build.pool_key(job, table, index, home, RELEASES[release])
                for job in jobs}
        known = cache.manifest(release)
        if known is not None and known["source"] == source and known["packages"] == keys:
            known["lists"] = lists
            write_atomically(root / release / cache.MANIFEST, json.dumps(known, indent=1))
            return
        build.build(jobs, keys, debs, table, home, RELEASES[release], root, progress)
        assemble.assemble(release, jobs, keys, root, home, {
            "source": source, "lists": lists, "packages": keys,
            "debs": {deb: debs[deb].name for deb in sorted(wanted)},
        }, progress)
    _collect_garbage(root)


def _collect_garbage(root: Path) -> None:
    """Remove packages that no release holds any more, and what killed calls left."""
    used, debs = set(), set()
    for release in RELEASES:
        known = cache.manifest(release) or {"packages": {}, "debs": {}}
        used |= set(known["packages"].values())
        debs |= set(known["debs"].values())
    for folder in (root / "pool").iterdir():
        if folder.name not in used:
            remove_tree(folder)
    for file in (root / "debs").glob("*.deb"):
        if file.name not in debs:
            file.unlink()
    for leftover in root.glob(".rehearsal-*"):
        remove_tree(leftover)
