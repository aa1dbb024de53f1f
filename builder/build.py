"""Carries out a plan: what the store has is taken, the rest is made, the result appears whole."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from builder import formats
from builder.disk.embed import Patch, boot_patches
from builder.plan import Plan
from builder.root import installed
from builder.root.bootloader import BIOS_FILES
from builder.root.disk_of_scripts import changed_layout
from builder.root.steps import (
    LAYER,
    after_failure,
    fill_layer,
    fill_packages,
    fill_pre_install,
    root_steps,
)
from builder.steps import Step
from builder.store import Entry, Store
from host.errors import CcisError, from_os_error
from host.files import link_or_copy, sha256_file, staged_directory
from host.mounts import private_mounts, read_only_overlay
from host.progress import Progress
from images.record import (
    FILE_NAME,
    Artefact,
    BuildRecord,
    RepositoryRecord,
    StepRecord,
    dump,
)

_IMAGE, _SUM = "image", "sha256"


@dataclass(frozen=True)
class Built:
    """A finished build: its folder and its record."""

    folder: Path
    record: BuildRecord


def build(plan: Plan, store: Store, out: Path, build_id: str, progress: Progress) -> Built:
    """Carry out the plan and put the artefacts and build.json into a new folder below `out`.

    build_id: YYYYMMDD.R, the part of the name that changes every night.
    The folder appears whole or not at all; one of the same name is exchanged in one step.
    Raises InputError for what the kickstart got wrong, HostError for what this host lacks,
    RemoteError for bad packages; each names the step in a note.
    """
    run = _Run(plan, store, progress)
    try:
        private_mounts()
        disk = run.disk()
        artefacts = run.artefacts(disk)
    except OSError as error:
        raise from_os_error(error, "building") from error
    record = _record(plan, build_id, run.records, disk, artefacts)
    folder = out / record.name
    try:
        with staged_directory(folder) as staging:
            for artefact, entry in artefacts:
                link_or_copy(entry.data / _IMAGE, staging / f"{record.name}.{artefact.extension}")
            (staging / FILE_NAME).write_text(dump(record), encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, f"writing {folder}") from error
    store.sweep()
    return Built(folder, record)


@dataclass
class _Run:
    """One execution of a plan: where the results are, and what each step took."""

    plan: Plan
    store: Store
    progress: Progress
    records: list[StepRecord] = field(default_factory=list)

    def disk(self) -> Entry:
        """Return the disk image, making the layers below it only if it is not there."""
        step = self.plan.steps["disk"]
        if found := self.store.find(step.name, step.digest):
            for name in (*root_steps(self.plan), "disk"):
                self._note(self.plan.steps[name], cached=True, duration_s=0.0)
            return found
        layers = self._layers()
        return self._make(step, lambda folder: self._write_disk(folder, layers))

    def artefacts(self, disk: Entry) -> list[tuple[formats.Format, Entry]]:
        """Convert the disk into every format asked for, several at a time."""
        wanted = [formats.get(name) for name in self.plan.options.wanted_formats]
        with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
            entries = list(pool.map(lambda wish: self._convert(wish, disk), wanted))
        return list(zip(wanted, entries, strict=True))

    def _layers(self) -> list[Path]:
        """Return the layers of the root tree, topmost first."""
        layers: list[Path] = []
        for name in root_steps(self.plan):
            step, lower = self.plan.steps[name], tuple(layers)

            def fill(folder: Path, name: str = name, lower: tuple[Path, ...] = lower) -> None:
                if name == "pre-install":
                    fill_pre_install(self.plan, self.store, folder, self.progress)
                elif name == "packages":
                    fill_packages(self.plan, self.store, folder, self.progress)
                else:
                    fill_layer(self.plan, name, lower, self.store, folder, self.progress)

            layers.insert(0, self._make(step, fill).data / LAYER)
        return layers

    def _write_disk(self, folder: Path, layers: list[Path]) -> None:
        """Write the image; scripts may have changed flags and types of its partitions."""
        layout = self.plan.layout
        for layer in reversed(layers):
            layout = changed_layout(layout, layer.parent)
        listing = layers[0].parent / installed.FILE
        if listing.is_file():
            shutil.copyfile(listing, folder / installed.FILE)
        self.progress.start("disk")
        with self.store.staging() as scratch:
            (scratch / "view").mkdir()
            with read_only_overlay(layers, scratch / "view") as view:
                self.plan.engine.write(
                    layout, view, self._boot_patches(view), folder / _IMAGE,
                    self.plan.epoch, self.progress,
                )

    def _boot_patches(self, view: Path) -> list[Patch]:
        files = view / BIOS_FILES.lstrip("/")
        if not (files / "core.img").is_file():
            return []
        return boot_patches(
            self.plan.layout, (files / "boot.img").read_bytes(), (files / "core.img").read_bytes(),
        )

    def _convert(self, wish: formats.Format, disk: Entry) -> Entry:
        def fill(folder: Path) -> None:
            self.progress.start(wish.name)
            wish.convert(disk.data / _IMAGE, folder / _IMAGE, self.progress)
            (folder / _SUM).write_text(sha256_file(folder / _IMAGE), encoding="ascii")

        return self._make(self.plan.steps[wish.name], fill)

    def _make(self, step: Step, fill: Callable[[Path], None]) -> Entry:
        started = time.monotonic()
        try:
            entry, cached = self.store.make(
                step.name, step.digest, inputs=step.all_inputs(), label=self.plan.label,
                fill=fill,
            )
        except CcisError as error:
            error.add_note(f"step: {step.name}")
            if step.name not in ("pre-install", "scripts"):  # these have run %onerror by now
                after_failure(self.plan, self.store, self.progress)
            raise
        self._note(step, cached=cached, duration_s=time.monotonic() - started)
        return entry

    def _note(self, step: Step, *, cached: bool, duration_s: float) -> None:
        self.records.append(StepRecord(
            name=step.name, digest=step.digest, cached=cached, duration_s=round(duration_s, 3),
        ))
        self.progress.finish(step.name, cached=cached)


def _record(
    plan: Plan, build_id: str, steps: list[StepRecord], disk: Entry,
    artefacts: list[tuple[formats.Format, Entry]],
) -> BuildRecord:
    options = plan.options
    image, release = options.image, options.release
    name = (f"{release.distribution}-{image.flavour}-{release.version}-{build_id}"
            f".{options.arch}")
    kickstart_text = "".join(text for _, text in sorted(plan.kickstart.sources.items()))
    return BuildRecord(
        name=name, image=image.name, flavour=image.flavour, release=release.name,
        distribution=release.distribution, version=release.version, arch=options.arch,
        build_id=build_id, public_path=release.public_path, spec=image.spec,
        engine=plan.engine.name, engine_reason=plan.engine_reason,
        kickstart=options.kickstart.name,
        kickstart_sha256=hashlib.sha256(kickstart_text.encode("utf-8")).hexdigest(),
        digest=plan.digest, source_date_epoch=plan.epoch,
        repositories=[
            RepositoryRecord(id=s.id, url=s.urls[0], repomd_sha256=s.repomd_sha256)
            for s in plan.request.snapshots
        ],
        packages=installed.packages(disk.data, plan.choices),
        artefacts=[
            Artefact(
                format=wish.name, file=f"{name}.{wish.extension}",
                size_bytes=(entry.data / _IMAGE).stat().st_size,
                sha256=(entry.data / _SUM).read_text(encoding="ascii"),
                virtual_size_bytes=plan.layout.disk_size_bytes,
            )
            for wish, entry in artefacts
        ],
        steps=steps, tools=plan.tools,
    )
