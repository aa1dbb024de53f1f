"""Two builds of one record compared, artefact by artefact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from host import block
from host.errors import InputError, from_os_error
from host.files import sha256_file
from host.progress import Progress
from host.run import run
from images.record import BuildRecord
from validate.artefact import inspect, unreadable
from validate.compare.diffoscope import diffoscope
from validate.compare.disks import DiskComparison, compare_disks
from validate.compare.members import compare_archives
from validate.compare.pieces import first_difference
from validate.compare.traits import shortened
from validate.key import Key

STEP = "compare"
_READABLE = ("raw", "qcow2", "qcow2-zlib")
"""The formats that a disk can be read from, the easiest first."""

Verdict = Literal["same bytes", "same tree, other bytes", "differs"]


@dataclass(frozen=True)
class ArtefactComparison:
    """One file of a build beside its twin.

    offset_bytes: of the first byte that differs; None when all are equal or a file is not there.
    places: which partition, file or member differs and in what, as far as it can be told.
    detail: what diffoscope says, where it is installed.
    """

    format: str
    file: str
    verdict: Verdict
    offset_bytes: int | None = None
    places: list[str] = field(default_factory=list)
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is as equal as it must be."""
        return self.verdict != "differs"


@dataclass(frozen=True)
class Pair:
    """Two builds. is_of_disk: whether a format is as equal as the disk is, by its name.

    exact: whether the disks must be equal byte for byte; else equal trees are enough.
    """

    one: Path
    before: BuildRecord
    other: Path
    after: BuildRecord
    is_of_disk: Callable[[str], bool]
    exact: bool
    key: Key | None = None


def compare_builds(pair: Pair, scratch: Path, progress: Progress) -> list[ArtefactComparison]:
    """Compare every file of two builds.

    scratch: an empty folder with room for unpacked copies. Raises InputError when a file of the
    first build is not what its record says, or can't be read; HostError when this host lacks
    something to look into it.
    """
    progress.start(STEP, len(pair.before.artefacts), "files")
    sums = {artefact.file: artefact.sha256 for artefact in pair.after.artefacts}
    found, disks = [], _Disks(pair, scratch)
    try:
        for number, artefact in enumerate(pair.before.artefacts, start=1):
            same = sums.get(artefact.file) == artefact.sha256
            _check_file(pair.one / artefact.file, artefact.sha256,
                        pair.other / artefact.file if same else None)
            if same:
                found.append(ArtefactComparison(artefact.format, artefact.file, "same bytes"))
            else:
                folder = scratch / str(number)
                folder.mkdir()
                found.append(_compare(pair, artefact.format, artefact.file, disks, folder))
            progress.advance(STEP, number, artefact.file)
        found += [_document(pair, name) for name in _documents(pair)]
    except OSError as error:
        raise from_os_error(error, "comparing the builds") from error
    passed = sum(one.passed for one in found)
    progress.finish(STEP, note=f"{passed} of {len(found)} as they must be")
    return found


def _check_file(path: Path, sha256: str, twin: Path | None) -> None:
    """Raise InputError when a file is not what its record says.

    twin: a file that is known to have this checksum. Comparing the two leaves out their holes;
    a checksum of 10 GiB of zeroes takes half a minute.
    """
    if not path.is_file():
        return
    if first_difference(path, twin) is not None if twin else sha256_file(path) != sha256:
        raise InputError("the file is not the one that its build.json describes", where=str(path),
                         why="its SHA-256 is another", remedy="it was changed after the build")


def _compare(
    pair: Pair, wish: str, file: str, disks: _Disks, scratch: Path,
) -> ArtefactComparison:
    one, other = pair.one / file, pair.other / file
    absent = next((name for path, name in ((one, "build"), (other, "rebuild"))
                   if not path.is_file()), None)
    if absent:
        return ArtefactComparison(wish, file, "differs", None,
                                  [f"the {absent}'s file is not there to be looked into"])
    offset = first_difference(one, other)
    if pair.is_of_disk(wish):
        verdict, places = disks.verdict(wish)
        return ArtefactComparison(wish, file, verdict, offset, places)
    lines = compare_archives(one, other, scratch)
    places = ["the contents are equal, the packing is not"] if lines == [] else lines or []
    return ArtefactComparison(wish, file, "differs", offset, shortened(places),
                              diffoscope(one, other))


class _Disks:
    """What differs between the disks themselves, found out once for all that is made of them."""

    def __init__(self, pair: Pair, scratch: Path) -> None:
        self._pair, self._scratch = pair, scratch
        self._answer: tuple[str, DiskComparison | None] | None = None

    def verdict(self, wish: str) -> tuple[Verdict, list[str]]:
        """Return the verdict on a format whose bytes differ, and where the disks differ."""
        if self._answer is None:
            self._answer = self._look()
        source, compared = self._answer
        if compared is None:
            return "differs", [source]
        if wish != source and not compared.same_tree:
            return "differs", [f"as in {source}"]
        if not compared.bytes_in:
            return "differs", ["the disks inside are equal, the packing is not"]
        places = [*compared.bytes_in, *shortened(compared.contents)]
        return ("same tree, other bytes" if compared.same_tree else "differs"), places

    def _look(self) -> tuple[str, DiskComparison | None]:
        files = {artefact.format: artefact.file for artefact in self._pair.before.artefacts}
        source = next((name for name in _READABLE if name in files
                       and (self._pair.one / files[name]).is_file()
                       and (self._pair.other / files[name]).is_file()), None)
        if source is None:
            return f"there is no {' or '.join(_READABLE)} to look into", None
        one, other = (self._raw(folder / files[source], source, side) for folder, side in
                      ((self._pair.one, "one"), (self._pair.other, "other")))
        if first_difference(one, other) is None:
            return source, DiskComparison([], [], inexact=False)
        return source, compare_disks(one, other, exact=self._pair.exact, key=self._pair.key)

    def _raw(self, path: Path, source: str, side: str) -> Path:
        """Return a disk as a raw file."""
        facts = inspect(path)
        if not facts.self_contained:
            raise InputError("names other files, so it is not opened", where=str(path))
        if facts.format != ("raw" if source == "raw" else "qcow2"):
            raise InputError(f"is no {source}, as its build.json says", where=str(path))
        if source == "raw":
            return path
        if broken := unreadable(facts):
            raise InputError("can't be read", where=str(path), why=broken)
        raw = self._scratch / f"{side}.raw"
        run(["qemu-img", "convert", "-O", "raw", block.name(path, "qcow2"), raw])
        return raw


def _documents(pair: Pair) -> list[str]:
    return sorted({name for target in pair.before.targets for name in target.documents})


def _document(pair: Pair, name: str) -> ArtefactComparison:
    """Compare a text that travels with a target."""
    one, other = pair.one / name, pair.other / name
    if not other.is_file() or not one.is_file():
        return ArtefactComparison("document", name, "differs", None, ["it is not in both builds"])
    offset = first_difference(one, other)
    return ArtefactComparison("document", name, "same bytes" if offset is None else "differs",
                              offset)
