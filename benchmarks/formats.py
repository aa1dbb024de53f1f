"""How long each artefact format takes, beside the bare tools on the same input in the same run.

    python benchmarks/formats.py [--runs 3] [--formats vhd,raw-xz] [--release rehearsal-10]
                                 [--folder /dev/shm] [--json FILE]

The input is the disk and the root tree of one GenericCloud, built first. What a format is made of,
if that is another format, is made before and not counted. Format and tool take turns; times are
medians of whole runs, and what counts is the ratios, because machines differ and drift. What takes
longer than half a minute is measured once. Formats that need no compressor stand beside a sparse
cp(1) of the disk, too: writing what is not zeroes once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import rehearsal
from builder.artefact import DISK, TREE, About, Format
from builder.formats.archives import squashfs
from builder.formats.registry import FORMATS, get
from builder.packages.comps import comps_files
from builder.packages.near import rpm_files
from builder.planner import Plan, make
from builder.request import Request
from builder.steps.views import layers as layers_of
from builder.store.result import IMAGE as IMAGE_FILE
from builder.store.store import Store
from host import clean_room
from host.errors import InputError
from host.mounts import private_mounts, read_only_overlay
from host.progress import Silent
from host.run import environment
from images import catalogue

IMAGE = "generic-cloud"
CCIS = Path(sys.executable).with_name("ccis")
ONCE_S = 30

COPY = ["cp", "--sparse=always", "{raw}", "{out}"]
XZ, ZSTD, GZIP = "xz -6 -T0", "zstd -q -10 -T0", "pigz -n -6"


def qemu_img(kind: str, *options: str) -> list[str]:
    """Return the command that converts the raw disk, as quickly as qemu-img can."""
    return ["qemu-img", "convert", "-m", "16", "-W", "-f", "raw", "-O", kind, *options,
            "{raw}", "{out}"]


def tar(compressor: str, *what: str) -> list[str]:
    """Return the command that packs the tree, or what else is given, under a compressor."""
    words = what or ("--xattrs", "-C", "{tree}", ".")
    return ["tar", "-c", "-f", "{out}", "-I", compressor, *words]


# For each format the tools that a person would take; {raw}, {tree} and {from}, the file of the
# format that it starts from, stand for the input. A format that is not here stands alone.
BARE: dict[str, dict[str, list[str]]] = {
    "raw": {"ln": ["ln", "{raw}", "{out}"]},
    "raw-xz": {"xz": [*XZ.split(), "-k", "-c", "{raw}"]},
    "raw-zst": {"zstd": [*ZSTD.split(), "-k", "-c", "{raw}"]},
    "raw-gz": {"pigz": [*GZIP.split(), "-k", "-c", "{raw}"]},
    "qcow2": {"qemu-img": qemu_img("qcow2", "-c", "-o", "compression_type=zstd")},
    "qcow2-zlib": {"qemu-img": qemu_img("qcow2", "-c")},
    "vmdk": {"qemu-img": qemu_img("vmdk", "-o", "subformat=streamOptimized")},
    "vmdk-sparse": {"qemu-img": qemu_img("vmdk"), "cp": COPY},
    "vhd": {"qemu-img": qemu_img("vpc", "-o", "subformat=fixed,force_size=on"), "cp": COPY},
    "vhd-dynamic": {"qemu-img": qemu_img("vpc", "-o", "force_size=on"), "cp": COPY},
    "vhdx": {"qemu-img": qemu_img("vhdx", "-o", "block_size=1M"), "cp": COPY},
    "vdi": {"qemu-img": qemu_img("vdi"), "cp": COPY},
    "gce": {"tar, pigz": tar(GZIP, "--format=oldgnu", "-S", "{raw}")},
    "eucalyptus": {"tar, pigz": tar(GZIP, "-S", "{raw}")},
    "ova": {"tar": ["tar", "-c", "-f", "{out}", "{from}"]},
    "vagrant-libvirt": {"tar": ["tar", "-c", "-f", "{out}", "{from}"]},
    "vagrant-virtualbox": {"tar": ["tar", "-c", "-f", "{out}", "{from}"]},
    "vagrant-vmware": {"tar, pigz": tar("pigz -n -1", "-S", "{from}")},
    "vagrant-hyperv": {"tar, pigz": tar("pigz -n -1", "-S", "{from}")},
    "tar-xz": {"tar, xz": tar(XZ)},
    "tar-zst": {"tar, zstd": tar(ZSTD)},
    "openvz": {"tar, pigz": tar(GZIP)},
    "wsl": {"tar, pigz": tar(GZIP)},
    "oci": {"tar, pigz": tar(GZIP)},
    "incus": {"mksquashfs": ["mksquashfs", "{tree}", "{out}", "-no-progress", "-quiet",
                             *squashfs.COMPRESSION]},
    "incus-unified": {"tar, xz": tar(XZ)},
    "lxc-directory": {"tar": ["tar", "-c", "-f", "{out}", "--xattrs", "-C", "{tree}", "."]},
    "live-iso": {"mksquashfs": ["mksquashfs", "{tree}", "{out}", "-no-progress", "-quiet",
                                *squashfs.COMPRESSION]},
}


@dataclass
class Input:
    """What the formats are made of, and where: the files of those that others start from."""

    raw: Path
    tree: Path
    about: Callable[[Format], About]
    folder: Path
    sources: dict[str, Path] = field(default_factory=dict)

    def of(self, wish: Format) -> Path:
        """Return what a format is made from; another format's files are made once."""
        if wish.source == DISK:
            return self.raw
        if wish.source == TREE:
            return self.tree
        if wish.source not in self.sources:
            self.sources[wish.source] = self.folder / f"source-{wish.source}"
            self.sources[wish.source].mkdir()
            self.make(get(wish.source), self.sources[wish.source])
        return self.sources[wish.source]

    def make(self, wish: Format, target: Path) -> None:
        """Make a format as the build does."""
        wish.make(self.of(wish), target, self.about(wish), Silent())


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    clean_room.settle()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--formats", type=lambda words: words.split(","), default=list(FORMATS))
    parser.add_argument("--release", default="rehearsal-10")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))  # noqa: S108
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    private_mounts()
    rehearsal.create(arguments.release, Silent())
    with (
        tempfile.TemporaryDirectory(dir=arguments.folder) as folder,
        built(Path(folder), arguments.release) as given,
    ):
        report = measure(given, arguments.formats, arguments.runs)
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


@contextmanager
def built(folder: Path, release: str) -> Iterator[Input]:
    """Build the image in a store of its own and yield its disk and its tree."""
    subprocess.run(
        [CCIS, "build", IMAGE, "--release", release, "--format", "raw", "--out", folder / "out"],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CCIS_STORE": str(folder / "s")})
    store = Store(folder / "s", 1 << 60)
    plan = plan_of(release, store)
    results = {}
    for action in (*plan.steps["disk"].before, plan.steps["disk"]):
        entry = store.find(action.name, action.digest)
        assert entry is not None, "the build has just made it"
        results[action.name] = entry.data

    def about(wish: Format) -> About:
        found = plan.about
        if "packages" in wish.uses:
            found = replace(found, packages=rpm_files(
                plan.selection, plan.packages, store, Silent()))
        if "comps" in wish.uses:
            found = replace(found, comps=comps_files(plan.selection, store))
        return found.only(wish.uses)

    (folder / "view").mkdir()
    with read_only_overlay(layers_of(results), folder / "view") as tree:
        yield Input(results["disk"] / IMAGE_FILE, tree, about, folder)
    store.release()


def plan_of(release: str, store: Store) -> Plan:
    """Return the plan of the build just made."""
    image = catalogue.image(IMAGE)
    return make(Request(
        image=image, kickstart=catalogue.kickstart_of(image), release=catalogue.release(release),
        arch=os.uname().machine, formats=["raw"], rehearsal=rehearsal.path(release),
    ), store)


def measure(given: Input, names: Sequence[str], runs: int) -> dict[str, Any]:
    """Return median seconds of each format and its bare tools, and sizes; refusals with why."""
    times: dict[str, dict[str, list[float]]] = {}
    sizes: dict[str, dict[str, int]] = {}
    refused: dict[str, str] = {}
    for name in names:
        wish = get(name)
        bare = BARE.get(name, {})
        runners = {"make": lambda target, wish=wish: given.make(wish, target)} | {
            tool: lambda target, argv=argv, wish=wish: run_bare(argv, given, wish, target)
            for tool, argv in bare.items()}
        times[name], sizes[name] = {}, {}
        try:
            given.of(wish)
            for number in range(runs):
                for tool, runner in runners.items():
                    if number and times[name][tool][0] > ONCE_S:
                        continue
                    seconds, sizes[name][tool] = one(runner, given.folder / "target")
                    times[name].setdefault(tool, []).append(seconds)
        except InputError as error:
            del times[name], sizes[name]
            refused[name] = str(error)
    medians = {name: {tool: statistics.median(values) for tool, values in tools.items()}
               for name, tools in times.items()}
    return {
        "image": IMAGE, "runs": runs, "cores": os.cpu_count(), "median_s": medians,
        "size_bytes": sizes, "not_of_this_image": refused,
        "ratio": {name: {tool: tools["make"] / tools[tool] for tool in tools if tool != "make"}
                  for name, tools in medians.items()},
    }


def one(runner: Callable[[Path], None], target: Path) -> tuple[float, int]:
    """Return the seconds that one run takes into a new folder, and the bytes that it leaves."""
    target.mkdir()
    began_s = time.monotonic()
    runner(target)
    seconds = time.monotonic() - began_s
    size_bytes = sum(512 * path.stat().st_blocks for path in target.iterdir())
    shutil.rmtree(target)
    return seconds, size_bytes


def run_bare(argv: Sequence[str], given: Input, wish: Format, target: Path) -> None:
    """Run a bare tool; one whose words name no {out} writes to standard output."""
    words = {"raw": given.raw, "tree": given.tree, "out": target / "out"}
    if wish.source not in (DISK, TREE):
        (words["from"],) = given.of(wish).iterdir()
    command = [word.format(**words) for word in argv]
    with (target / "stdout").open("wb") as stdout:
        subprocess.run(command, check=True, stdout=stdout, stderr=subprocess.PIPE,
                       env=environment())


def table(report: dict[str, Any]) -> str:
    """Return the report for people."""
    lines = [f"{report['image']}, {report['cores']} cores, medians of {report['runs']}"]
    for name, tools in report["median_s"].items():
        beside = "".join(f"  {report['ratio'][name][tool]:>6.2f} × {tool} ({seconds:.2f} s)"
                         for tool, seconds in tools.items() if tool != "make")
        lines.append(f"  {name:<20} {tools['make']:>7.2f} s{beside}")
    lines += [f"  {name:<20} {why}" for name, why in report["not_of_this_image"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
