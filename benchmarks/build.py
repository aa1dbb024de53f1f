"""How long a build takes, beside the floor that the bare tools set in the same run.

    python benchmarks/build.py [--runs 3] [--release rehearsal-10] [--json FILE]

The floor is the work that no builder can leave out, done by the tools alone with nothing
around them: unpack the same RPMs in parallel into tmpfs, run dracut once, populate a file system,
compress the disk. Everything else – dependency solving, scriptlets, signatures, settings, labels,
checksums – is ours to make cheap. Times are medians of whole processes; what counts is the ratios,
because machines differ and drift. Stores stay until the end: for minutes, ext4 looks long for an
inode in the place of those that were just deleted, and the next build would pay for it.

The nightly case is a build after 10 of the image's packages got a new release (nightly.py).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import nightly

import rehearsal
from builder.booting import initramfs
from builder.packages.near import rpm_files
from builder.planner import Plan, make
from builder.request import Request
from builder.sandbox.sandbox import Sandbox
from builder.steps.views import layers as layers_of
from builder.store.store import Store
from builder.tree.tree import Tree
from host import clean_room
from host.mounts import overlay, private_mounts, read_only_overlay
from host.progress import Silent
from host.run import run
from images import catalogue

IMAGE = "generic-cloud"
CCIS = Path(sys.executable).with_name("ccis")


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    clean_room.settle()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--release", default="rehearsal-10")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    private_mounts()
    rehearsal.create(arguments.release, Silent())
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        report = measure(Path(folder), arguments.release, arguments.runs)
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def measure(folder: Path, release: str, runs: int) -> dict[str, Any]:
    """Return medians in seconds and the ratios to the floor; builds and floor take turns."""
    times: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        times.setdefault(name, []).append(seconds)

    kickstart = folder / "changed.ks"
    original = catalogue.kickstart_of(catalogue.image(IMAGE)).read_text(encoding="utf-8")
    for number in range(runs):
        store = folder / f"store-{number}"
        note("cold build", ccis_build(store, folder / "out", [IMAGE, "--release", release]))
        note("unchanged rebuild", ccis_build(store, folder / "out", [IMAGE, "--release", release]))
        # %post is the last section: one more line in it makes a second image of the same packages.
        kickstart.write_text(f"{original.rpartition('%end')[0]}echo {number} > /etc/motd\n%end\n")
        note("line of %post changed", ccis_build(
            store, folder / "out",
            [IMAGE, "--kickstart", str(kickstart), "--release", release]))
        for name, seconds in floor(store, folder, release).items():
            note(f"floor: {name}", seconds)
        note("10 packages changed", changed_packages(folder / f"nightly-{number}", release))
    medians = {name: statistics.median(values) for name, values in times.items()}
    total = sum(value for name, value in medians.items() if name.startswith("floor: "))
    builds = [name for name in medians if not name.startswith("floor: ")]
    return {
        "release": release, "runs": runs, "cores": os.cpu_count(), "median_s": medians,
        "floor_s": total, "ratio_to_floor": {name: medians[name] / total for name in builds},
        "peak_process_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def changed_packages(folder: Path, release: str) -> float:
    """Return the wall time of the next night's build, for which some packages have changed."""
    environment = nightly.copy_of(release, folder / "cache")
    words = [IMAGE, "--release", release]
    ccis_build(folder / "store", folder / "out", words, environment)
    (build,) = (folder / "out").iterdir()
    assert len(nightly.change(release, folder / "cache", build)) == nightly.CHANGED
    return ccis_build(folder / "store", folder / "out", words, environment)


def ccis_build(
    store: Path, out: Path, words: list[str], environment: Mapping[str, str] = os.environ,
) -> float:
    """Return the wall time of one `ccis build` as a whole process."""
    started = time.monotonic()
    subprocess.run(
        [CCIS, "build", *words, "--out", out], check=True, capture_output=True,
        env={**environment, "CCIS_STORE": str(store)},
    )
    return time.monotonic() - started


def floor(store_folder: Path, folder: Path, release: str) -> dict[str, float]:
    """Time the bare tools on the very packages and tree of the build just made."""
    store = Store(store_folder, 1 << 60)
    image = catalogue.image(IMAGE)
    plan = make(Request(
        image=image, kickstart=catalogue.kickstart_of(image), release=catalogue.release(release),
        arch=os.uname().machine, formats=image.formats,
        rehearsal=rehearsal.path(release),
    ), store)
    rpms = rpm_files(plan.selection, plan.choices, store, Silent())
    layers = layers_of_plan(plan, store)
    result = {"unpack into tmpfs": timed(lambda: unpack(rpms))}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        result["dracut"] = dracut(Path(scratch), layers[-2:], plan)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        view, raw = Path(scratch) / "view", Path(scratch) / "disk.raw"
        view.mkdir()
        with read_only_overlay(layers, view):
            raw.touch()
            os.truncate(raw, plan.layout.disk_size_bytes)
            result["populate"] = timed(
                lambda: run(["mke2fs", "-q", "-t", "ext4", "-d", view, raw]))
        result["compress"] = timed(lambda: run(
            ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o",
             "compression_type=zstd", "-m", "16", "-W", raw, f"{raw}.qcow2"]))
    store.release()
    return result


def layers_of_plan(plan: Plan, store: Store) -> list[Path]:
    """Return the layers of the finished tree, topmost first."""
    results = {}
    for action in (*plan.steps["seal"].before, plan.steps["seal"]):
        entry = store.find(action.name, action.digest)
        assert entry is not None, "the build has just made it"
        results[action.name] = entry.data
    return layers_of(results)


def unpack(rpms: list[Path]) -> None:
    """Unpack every RPM's payload, as many at once as there are cores, into a fresh tmpfs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as target:
        def one(rpm: Path) -> None:
            with subprocess.Popen(["rpm2cpio", rpm], stdout=subprocess.PIPE) as payload:
                subprocess.run(["cpio", "-idmu", "--quiet", "--no-absolute-filenames"],
                               stdin=payload.stdout, cwd=target, check=True, capture_output=True)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(one, rpms))


def dracut(scratch: Path, layers: list[Path], plan: Plan) -> float:
    """Run dracut once in the tree as it is after the settings."""
    for name in ("upper", "work", "view"):
        (scratch / name).mkdir()
    with overlay(layers, scratch / "upper", scratch / "work", scratch / "view") as view:
        tree = Tree(view, Sandbox(view, plan.epoch))
        return timed(lambda: initramfs.make(tree, plan.layout, Silent()))


def timed(work: Callable[[], object]) -> float:
    """Return how long `work` takes, in seconds."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def table(report: dict[str, Any]) -> str:
    """Return the report for people."""
    lines = [f"{IMAGE} {report['release']}, {report['cores']} cores, medians of {report['runs']}"]
    for name, seconds in report["median_s"].items():
        ratio = report["ratio_to_floor"].get(name)
        beside = f"  {ratio:>5.2f} × floor" if ratio else ""
        lines.append(f"  {name:<26} {seconds:>7.2f} s{beside}")
    lines.append(f"  {'floor in all':<26} {report['floor_s']:>7.2f} s")
    lines.append(f"  largest process            {report['peak_process_mib']:>7.0f} MiB")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
