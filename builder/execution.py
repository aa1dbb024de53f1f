"""Carries out plans: every step that the store lacks is made once, however many images need it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder import formats
from builder.artefact import DISK, TREE, About, Format
from builder.disk.embed import tree_patches
from builder.disk.image_file import full_disk_error
from builder.layers import (
    LAYER,
    after_failure,
    check_drivers,
    fill_layer,
    fill_packages,
    fill_pre_install,
    root_steps,
)
from builder.plan import Plan
from builder.root import installed
from builder.root.bootloader import BIOS_FILES
from builder.root.comps import comps_files
from builder.root.disk_of_scripts import changed_layout
from builder.root.packages import rpm_files
from builder.schedule import Task, execute
from builder.steps import Step
from builder.store import Entry, Store
from host.cost import Cost, measured
from host.errors import CcisError, HostError, ProgramError
from host.files import sha256_file
from host.mounts import read_only_overlay
from host.progress import Progress

Key = tuple[str, str]
"""A step's name and digest."""

_IMAGE, _FILES, _SUMS = "image", "files", "sums.json"


@dataclass
class Execution:
    """One run over some plans: the results of their steps, and what each of them cost."""

    plans: Sequence[Plan]
    store: Store
    progress: Progress
    results: dict[Key, Entry] = field(default_factory=dict)
    costs: dict[Key, Cost] = field(default_factory=dict)
    _tasks: dict[Key, Task] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, when_done: Callable[[Plan], None]) -> None:
        """Make all that is missing; call `when_done` for each plan whose artefacts are there."""
        for number, plan in enumerate(self.plans):
            needs = [plan.steps[name] for name in (
                plan.base.name, *plan.options.wanted_formats, "drivers") if name in plan.steps]
            for step in needs:
                self._want(plan, step)
            self._tasks["done", str(number)] = Task(
                ("done", str(number)), self._missing(needs),
                lambda plan=plan: self._finish(plan, when_done))  # type: ignore[misc]
        execute(self._tasks.values(), self._stopping)

    def _finish(self, plan: Plan, when_done: Callable[[Plan], None]) -> None:
        """Note what the image is made of, so that its next build can tell what has changed."""
        for step in plan.steps.values():
            self.store.note_use(step.name, step.digest, plan.label)
        when_done(plan)

    def files(self, plan: Plan, name: str) -> list[tuple[Path, str]]:
        """Return the files of a format, each with its SHA-256."""
        data = self.results[_key(plan.steps[name])].data
        sums = json.loads((data / _SUMS).read_text(encoding="ascii"))
        return [(data / _FILES / ending, digest) for ending, digest in sorted(sums.items())]

    def _want(self, plan: Plan, step: Step) -> None:
        """Add the tasks that make a step's result, unless the store has it."""
        key = _key(step)
        if key in self.results or key in self._tasks:
            return
        if found := self.store.find(step.name, step.digest):
            self.results[key] = found
            self.progress.finish(self._shown(plan, step), cached=True)
            return
        before = self._before(plan, step)
        for each in before:
            self._want(plan, each)
        self._tasks[key] = Task(
            key, self._missing(before), lambda: self._make(plan, step),
            conversion=step.name in formats.FORMATS)

    def _missing(self, steps: Iterable[Step]) -> list[Key]:
        return [_key(step) for step in steps if _key(step) not in self.results]

    def _before(self, plan: Plan, step: Step) -> list[Step]:
        """Return the steps whose results a step reads: layers of the tree, or one other thing."""
        names = root_steps(plan)
        if step.name in names:
            return [plan.steps[name] for name in names[:names.index(step.name)]]
        if step.name in ("disk", "drivers") or formats.get(step.name).source == TREE:
            return [plan.steps[name] for name in names]
        return [plan.steps[formats.get(step.name).source]]

    def _make(self, plan: Plan, step: Step) -> None:
        shown = self._shown(plan, step)
        progress = _Shown(self.progress, step.name, shown, self._stopping)
        with measured() as cost:
            try:
                self.results[_key(step)], cached = self.store.make(
                    step.name, step.digest, inputs=step.all_inputs(), label=plan.label,
                    fill=lambda folder: self._fill(plan, step, folder, progress),
                )
            except CcisError as error:
                error.add_note(f"step: {shown}")
                if step.name not in ("pre-install", "scripts"):  # these have run %onerror by now
                    after_failure(plan, self.store, progress)
                raise
        if not cached:  # else another process has made it meanwhile
            self.costs[_key(step)] = cost
        self.progress.finish(shown, cached=cached)

    def _fill(self, plan: Plan, step: Step, folder: Path, progress: Progress) -> None:
        before = [self.results[_key(each)].data for each in reversed(self._before(plan, step))]
        if step.name == "pre-install":
            fill_pre_install(plan, self.store, folder, progress)
        elif step.name == "packages":
            fill_packages(plan, self.store, folder, progress)
        elif step.name == "disk":
            self._write_disk(plan, folder, before, progress)
        elif step.name == "drivers":
            progress.start("drivers")
            with self._tree(before) as view:
                check_drivers(plan, view)
        elif step.name in formats.FORMATS:
            progress.start(step.name, 100)
            self._convert(plan, formats.get(step.name), before, folder, progress)
        else:
            layers = [data / LAYER for data in before]
            fill_layer(plan, step.name, layers, self.store, folder, progress)

    def _write_disk(
        self, plan: Plan, folder: Path, before: list[Path], progress: Progress,
    ) -> None:
        """Write the image; scripts may have changed flags and types of its partitions."""
        assert plan.engine is not None, "a plan without an engine has no step for the disk"
        layout = plan.layout
        for data in reversed(before):
            layout = changed_layout(layout, data)
        listing = before[0] / installed.FILE
        if listing.is_file():
            shutil.copyfile(listing, folder / installed.FILE)
        progress.start("disk")
        with self._tree(before) as view:
            patches = tree_patches(plan.layout, view, BIOS_FILES)
            plan.engine.write(layout, view, patches, folder / _IMAGE,
                              plan.epoch, progress)

    @contextmanager
    def _tree(self, before: list[Path]) -> Iterator[Path]:
        """Yield the finished root tree, read-only; before: its layers' folders, topmost first."""
        with self.store.staging() as scratch:
            (scratch / "view").mkdir()
            layers = [data / LAYER for data in before]
            with read_only_overlay(layers, scratch / "view") as view:
                yield view

    def _convert(
        self, plan: Plan, wish: Format, before: list[Path], folder: Path,
        progress: Progress,
    ) -> None:
        files = folder / _FILES
        files.mkdir()
        about = self._about(plan, wish, progress)
        try:
            if wish.source == TREE:
                with self._tree(before) as view:
                    wish.make(view, files, about, progress)
            else:
                inside = _IMAGE if wish.source == DISK else _FILES
                wish.make(before[0] / inside, files, about, progress)
        except (ProgramError, OSError) as error:
            if _says_full(error):
                raise full_disk_error(folder, f"making {wish.name}") from error
            raise
        sums = _sums(files, before[0] if wish.source not in (TREE, DISK) else None)
        (folder / _SUMS).write_text(json.dumps(sums), encoding="ascii")

    def _about(self, plan: Plan, wish: Format, progress: Progress) -> About:
        about = plan.about
        if "packages" in wish.uses:
            about = replace(about, packages=rpm_files(
                plan.request, plan.packages, self.store, progress))
        if "comps" in wish.uses:
            about = replace(about, comps=comps_files(plan.request, self.store))
        return about.only(wish.uses)

    def _shown(self, plan: Plan, step: Step) -> str:
        """Return the name that a person sees: with several images, it says for which it is."""
        return step.name if len(self.plans) == 1 else f"{plan.options.image.name} {step.name}"


@dataclass(frozen=True)
class _Shown:
    """Progress of one step, under the name that a person sees; it ends work that is of no use."""

    progress: Progress
    step: str
    shown: str
    stopping: threading.Event

    def start(self, step: str, total: float | None = None, unit: str = "") -> None:
        self.progress.start(self._name(step), total, unit)

    def advance(self, step: str, done: float, note: str = "") -> None:
        if self.stopping.is_set():
            raise HostError("stopped: another step has failed", where=self.shown)
        self.progress.advance(self._name(step), done, note)

    def finish(self, step: str, *, cached: bool = False, note: str = "") -> None:
        self.progress.finish(self._name(step), cached=cached, note=note)

    def say(self, text: str) -> None:
        self.progress.say(text)

    def _name(self, step: str) -> str:
        return self.shown if step == self.step else step


def _key(step: Step) -> Key:
    return step.name, step.digest


def _sums(files: Path, source: Path | None) -> dict[str, str]:
    """Return the SHA-256 of each file; one that is a link to the source's is not read again."""
    known: dict[int, str] = {}
    if source is not None:
        of_source = json.loads((source / _SUMS).read_text(encoding="ascii"))
        known = {(source / _FILES / name).stat().st_ino: of_source[name] for name in of_source}
    return {
        path.name: known.get(path.stat().st_ino) or sha256_file(path)
        for path in sorted(files.iterdir())
    }


def _says_full(error: ProgramError | OSError) -> bool:
    if isinstance(error, ProgramError):
        return any(os.strerror(errno.ENOSPC) in line for line in error.tail)
    return error.errno == errno.ENOSPC
