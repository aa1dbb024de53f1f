"""What a step really executes lies within the closure that its digest is made of.

One image is made step by step from an empty store, every call of a Python function is watched, in
each thread; what a step starts in a process of its own is looked at by what it has imported.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import rehearsal
from builder import identity, planner
from builder.graph import Action
from builder.identity import ROOMS, SILENT, closure
from builder.request import Request
from builder.steps import registry
from builder.steps.contract import Place
from builder.store.entries import Entry
from builder.store.store import Store
from host.progress import Silent
from images import catalogue

pytestmark = pytest.mark.integration

PROJECT = Path(identity.__file__).parents[1]
FORMATS = ["raw", "qcow2", "vhd", "vhdx", "docker"]
# Handed to every step, and keeps what it makes: who calls them does not decide what they do.
HANDED = SILENT | {"builder.graph", "builder.steps.registry"}


class Tracer:
    """The project's modules of which a function was called while it watched."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.files.add(frame.f_code.co_filename)

    def watch(self, work: Callable[[], object]) -> None:
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            work()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]

    @property
    def modules(self) -> set[str]:
        inside = (Path(file).relative_to(PROJECT) for file in self.files
                  if Path(file).is_relative_to(PROJECT))
        names = (".".join(path.with_suffix("").parts) for path in inside
                 if path.parts[0] in ROOMS)
        return {name.removesuffix(".__init__") for name in names}


def in_order(wanted: list[Action]) -> Iterator[Action]:
    """Yield actions after all that they need, each once."""
    seen: set[str] = set()

    def walk(action: Action) -> Iterator[Action]:
        if action.name not in seen:
            seen.add(action.name)
            for each in action.needs:
                yield from walk(each)
            yield action

    for action in wanted:
        yield from walk(action)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The modules that each step of an image executed, by the step's name."""
    store = Store(tmp_path_factory.mktemp("traced") / "store", 1 << 40)
    release = catalogue.release("rehearsal-10")
    rehearsal.create(release.name, Silent())
    image = catalogue.image("generic-cloud")
    plan = planner.make(Request(
        image=image, kickstart=catalogue.kickstart_of(image), release=release, arch="x86_64",
        formats=FORMATS, rehearsal=rehearsal.path(release.name)), store)
    found: dict[str, set[str]] = {}
    results: dict[str, Entry] = {}
    for action in in_order(plan.wanted):
        before = {each.name: results[each.name].data for each in action.needs}
        tracer = Tracer()

        def fill(folder: Path, *, action: Action = action, tracer: Tracer = tracer,
                 before: dict[str, Path] = before) -> None:
            place = Place(folder, store, Silent())
            tracer.watch(lambda: action.step.make(action.inputs, before, place))

        results[action.name], _ = store.make(
            action.name, action.digest, inputs=action.all_inputs, label=plan.label, fill=fill)
        found[action.name] = tracer.modules
    store.release()
    return found


def test_every_step_was_watched(executed: dict[str, set[str]]) -> None:
    assert set(executed) >= {"packages", "settings", "initramfs", "bootloader", "scripts", "seal",
                             "disk", *FORMATS}
    assert "builder.packages.install" in executed["packages"]
    assert "builder.kickstart.commands.accounts" in executed["settings"]
    assert "builder.formats.disk_files.blocks" in executed["qcow2"], "threads are watched, too"


def test_what_a_step_executes_is_in_its_digest(executed: dict[str, set[str]]) -> None:
    outside = {name: sorted(modules - closure(*registry.modules_of(registry.get(name))) - HANDED)
               for name, modules in executed.items()}
    assert {name: modules for name, modules in outside.items() if modules} == {}


@pytest.mark.parametrize("module", ["builder.packages.dnf_worker"])
def test_what_a_process_of_its_own_imports_is_in_its_digest(module: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"], cwd=PROJECT,
        capture_output=True, text=True, check=True, timeout=60).stdout.split()
    inside = {name for name in said if name.partition(".")[0] in ROOMS}
    assert module in inside
    silent = {each for name in SILENT for each in identity._imported(name)}
    assert inside - closure(module) - SILENT - silent == set()
    assert module in closure("builder.steps.packages")


def test_the_trace_finds_what_a_closure_lacks(
    executed: dict[str, set[str]], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The guard works: were an import not counted, the trace would show it."""
    kept = closure("builder.steps.seal") - {"builder.tree.labels"}
    assert executed["seal"] - kept - HANDED == {"builder.tree.labels"}
