"""Converts what is not yet in the pool, on all cores, and puts it there."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from host.beneath.remove import remove_tree
from host.errors import InputError
from host.progress import Progress
from rehearsal import cache
from rehearsal.convert import convert
from rehearsal.debian import Index
from rehearsal.makers import Making
from rehearsal.mapping import Job
from rehearsal.rpmfile import write_rpm
from rehearsal.signing import public_key, sign_detached
from rehearsal.table import Table

_PR_SET_PDEATHSIG = 1


def pool_key(job: Job, table: Table, index: Index, home: Path, release: str) -> str:
    """Return the digest of everything that goes into a package; it names its place in the pool."""
    entry = job.entry
    parts = {
        "job": {**asdict(job), "entry": entry.model_dump()},
        "common": table.common.model_dump(),
        "debs": [index.packages[deb].sha256 for deb in job.debs],
        "overlay": cache.source_digest(f"files/{job.name}/**/*"),
        "code": _code("*.py"),
        "makers": _code("makers/*.py", "selinux/*") if entry.makers else "",
        "key": public_key(home),
        "release": release if entry.per_release else "",
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


@functools.cache
def _code(*patterns: str) -> str:
    """Return the digest of our own code, read once for all packages: the code that runs now."""
    return cache.source_digest(*patterns)


def build(
    jobs: list[Job], keys: Mapping[str, str], debs: Mapping[str, Path], table: Table, home: Path,
    release: str, root: Path, progress: Progress,
) -> None:
    """Make every package that the pool (`root`/pool) does not hold yet.

    Raises InputError, naming the package, when its conversion fails on the table.
    """
    pool = root / "pool"
    pool.mkdir(exist_ok=True)
    missing = [job for job in jobs if not (pool / keys[job.name]).is_dir()]
    # Those that a maker builds take longest, then the largest: they must not come last.
    missing.sort(key=lambda job: (not job.entry.makers,
                                  -sum(debs[deb].stat().st_size for deb in job.debs)))
    if not missing:
        return
    step = "rehearsal: convert"
    progress.start(step, len(missing), "packages")
    base = frozenset(next(job for job in jobs if job.name == "filesystem").entry.folders)
    with tempfile.TemporaryDirectory(
        dir=root, prefix=".rehearsal-build.", ignore_cleanup_errors=True,
    ) as scratch:
        making = Making(release, dict(debs), Path(scratch), public_key(home), base,
                        table.folders())
        with ProcessPoolExecutor(
            os.cpu_count(), multiprocessing.get_context("spawn"), _die_with_parent,
        ) as workers:
            futures = {workers.submit(_make, job, debs, table, making, home, pool / keys[job.name]):
                       job for job in missing}
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    future.result()
                    progress.advance(step, done, futures[future].name)
            except BaseException:
                workers.shutdown(wait=True, cancel_futures=True)
                raise
    progress.finish(step)


def _make(
    job: Job, debs: Mapping[str, Path], table: Table, making: Making, home: Path, target: Path,
) -> None:
    scratch = Path(tempfile.mkdtemp(dir=making.scratch, prefix=f"{job.name}."))
    own = Making(making.release, making.debs, scratch, making.key, making.base_folders,
                 making.folders)
    try:
        package = convert(job, debs, table, own)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{job.name} cannot be converted", why=repr(error)) from error
    folder = scratch / "result"
    folder.mkdir()
    write_rpm(package, folder, lambda path: sign_detached(home, path))
    folder.chmod(0o755)
    folder.rename(target)
    remove_tree(scratch)


def _die_with_parent() -> None:
    """Ask the kernel to kill this worker when the process that started it is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
