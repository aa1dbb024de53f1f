"""What all artefacts of all targets take together, beside the compressors' own work.

    python benchmarks/targets.py [--release rehearsal-10] [--targets all] [--json FILE]

One run of `ccis build --target all` from an empty store. The floor is what no scheduler can save:
the processor time of the conversions shared by all cores, and one cold build before them, which
is measured first. Processor time is counted for the whole process tree, so that waiting shows as
idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import rehearsal
from builder.formats.registry import FORMATS
from host import clean_room
from host.progress import Silent

CCIS = Path(sys.executable).with_name("ccis")


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    clean_room.settle()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--release", default="rehearsal-10")
    parser.add_argument("--targets", default="all")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rehearsal.create(arguments.release, Silent())
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        report = measure(Path(folder), arguments.release, arguments.targets)
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def measure(folder: Path, release: str, targets: str) -> dict[str, Any]:
    """Return times in seconds of a cold build, of all targets, and of all targets again."""
    store = folder / "store"
    cold = build(store, folder / "out", ["generic-cloud", "--release", release])
    shutil.rmtree(store)
    words = ["--target", targets, "--release", release]
    everything = build(store, folder / "out", words)
    again = build(store, folder / "out", words)
    costs = conversions(everything["report"])
    cores = os.cpu_count() or 1
    floor_s = sum(costs.values()) / cores + cold["wall_s"]
    return {
        "release": release, "cores": cores, "cold_build_s": cold["wall_s"],
        "all_targets_s": everything["wall_s"], "again_s": again["wall_s"],
        "busy": everything["cpu_s"] / everything["wall_s"] / cores,
        "conversions_cpu_s": sum(costs.values()), "floor_s": floor_s,
        "ratio_to_floor": everything["wall_s"] / floor_s,
        "cpu_s_by_format": dict(sorted(costs.items(), key=lambda pair: -pair[1])),
        "images": len(everything["report"]),
        "artefacts": sum(len(built["artefacts"]) for built in everything["report"]),
    }


def build(store: Path, out: Path, words: list[str]) -> dict[str, Any]:
    """Return wall time, processor time and report of one `ccis build` as a whole process."""
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [CCIS, "build", *words, "--out", out, "--json"], check=True, stdout=subprocess.PIPE,
        env={**os.environ, "CCIS_STORE": str(store)}, text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": time.monotonic() - began_s, "report": json.loads(done.stdout),
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


def conversions(report: list[dict[str, Any]]) -> dict[str, float]:
    """Return the processor time of each format in all images, each conversion counted once."""
    seen: dict[tuple[str, str], float] = {}
    for built in report:
        for step in built["steps"]:
            if step["name"] in FORMATS:
                seen[step["name"], step["digest"]] = step["cpu_s"]
    costs: dict[str, float] = {}
    for (name, _), cpu_s in seen.items():
        costs[name] = costs.get(name, 0.0) + cpu_s
    return costs


def table(report: dict[str, Any]) -> str:
    """Return the report for people."""
    lines = [
        f"{report['images']} images, {report['artefacts']} artefacts, {report['release']}, "
        f"{report['cores']} cores",
        f"  all targets, empty store    {report['all_targets_s']:>8.1f} s"
        f"  {report['ratio_to_floor']:.2f} × floor",
        f"  all targets again           {report['again_s']:>8.1f} s",
        f"  floor                       {report['floor_s']:>8.1f} s"
        f"  (one cold build {report['cold_build_s']:.1f} s, conversions "
        f"{report['conversions_cpu_s']:.0f} s of processors)",
        f"  cores busy                  {report['busy']:>8.0%}",
    ]
    lines += [f"    {name:<22} {cpu_s:>8.1f} s of processors"
              for name, cpu_s in report["cpu_s_by_format"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
