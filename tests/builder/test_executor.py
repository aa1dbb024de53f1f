"""The executor: what the store gives is looked at before it is used, and made again if need be."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builder.executor import Execution
from builder.graph import Action
from builder.steps.contract import Inputs, Place
from builder.store import manifest
from builder.store.store import Store
from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.errors import InputError

KEY = b"k" * 32


@dataclass(frozen=True)
class Words:
    """A step that writes what the steps before it wrote, and its own word."""

    name: str
    after: Sequence[str] = ()
    programs: Sequence[str] = ()
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        vars(self)["__name__"] = "builder.steps.contract"  # where its code is, as of a module

    def inputs(self, facts: object) -> Inputs:
        return Inputs(epoch=1)

    def make(self, inputs: Any, before: Mapping[str, Path], place: Place) -> None:
        self.made.append(self.name)
        (place.folder / "layer").mkdir()
        words = [*((each / "layer/words").read_text() for each in before.values()), self.name]
        if any("?" in word for word in words):
            raise InputError("a word that nobody knows")
        (place.folder / "layer/words").write_text(" ".join(words))
        place.progress.say(f"{self.name} was said")


@dataclass
class Heard:
    """A progress that keeps what is said."""

    said: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def start(self, step: str, total: float | None = None, unit: str = "") -> None: ...
    def advance(self, step: str, done: float, note: str = "") -> None: ...
    def finish(self, step: str, *, cached: bool = False, note: str = "") -> None:
        self.finished.append(step)

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def root(tmp_path: Path) -> Any:
    yield tmp_path / "store"
    remove_tree(tmp_path / "store")


CHAIN = ("packages", "settings", "disk")


def actions(names: Sequence[str] = CHAIN) -> dict[str, Action]:
    """A chain: each starts from all before it."""
    found: dict[str, Action] = {}
    for name in names:
        step = Words(name, tuple(found))
        found[name] = Action(step, Inputs(epoch=1), KEY, tuple(found.values())[-1:])
    return found


def run(
    root: Path, names: Sequence[str] = CHAIN, limit_bytes: int = 1 << 30,
    actions_of: Callable[[Sequence[str]], dict[str, Action]] = actions,
) -> tuple[list[str], list[str], str]:
    """Carry out a chain; return what was made, what was said, and the result."""
    steps = actions_of(names)
    last = steps[names[-1]]
    plan = SimpleNamespace(
        steps=steps, wanted=[last], label="image",
        kickstart=SimpleNamespace(scripts_of=lambda _: []),
        options=SimpleNamespace(flavour="Image", targets=[]))
    heard, text = Heard(), []
    store = Store(root, limit_bytes)
    execution = Execution([plan], store, heard)  # type: ignore[list-item]

    def done(_: object) -> None:
        data = execution.results[last.name, last.digest].data
        text.append((data / "layer/words").read_text())

    try:
        execution.run(done)
    finally:
        store.release()
    made = [name for each in steps.values()
            for name in each.step.made]  # type: ignore[attr-defined]
    return made, heard.said, text[0]


def result(root: Path, name: str) -> Path:
    (path,) = (root / "objects" / name).iterdir()
    return path


def evict(root: Path, *names: str) -> None:
    for name in names:
        remove_tree(root / "objects" / name)


def write_quietly(entry: Path, text: str) -> None:
    """Change a result as a bad disk does: nothing but its content tells."""
    file = entry / "data/layer/words"
    before = file.stat()
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    stamps = array("q", (manifest._stamp(found) for found in Root(entry / "data").walk()))
    (entry / "stamps").write_bytes(stamps.tobytes())


WHOLE = "packages packages settings disk"


def test_what_the_store_has_is_not_made_again(root: Path) -> None:
    assert run(root)[0] == ["packages", "settings", "disk"]
    made, said, text = run(root)
    assert (made, text) == ([], WHOLE)
    assert sorted(said) == ["disk was said", "packages was said", "settings was said"]


@pytest.mark.parametrize("damage", [
    lambda entry: (entry / "data/layer/words").write_text("other"),
    lambda entry: (entry / "data/layer/words").unlink(),
    lambda entry: (entry / "data/layer/words").chmod(0o600),
    lambda entry: remove_tree(entry / "data/layer"),
    lambda entry: (entry / "entry.json").write_text("[]"),
    lambda entry: (entry / "manifest.json").unlink(),
    remove_tree,
], ids=["written", "file missing", "mode", "layer missing", "record", "manifest", "all gone"])
@pytest.mark.parametrize("name", ["packages", "settings"])
def test_a_damaged_layer_is_made_again_and_what_stands_on_it_stays(
    root: Path, name: str, damage: Callable[[Path], object],
) -> None:
    run(root)
    evict(root, "disk")
    damage(result(root, name))
    made, _, text = run(root)
    assert (made, text) == ([name, "disk"], WHOLE)
    assert run(root)[0] == []


def test_a_damaged_result_that_nobody_needs_is_left_alone(root: Path) -> None:
    run(root)
    (result(root, "packages") / "data/layer/words").write_text("other")
    assert run(root)[0] == []


def test_a_step_that_fails_because_of_a_damaged_layer_is_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a sample did not hit is looked for when something fails."""
    run(root)
    evict(root, "disk", "settings")
    write_quietly(result(root, "packages"), "package?")
    monkeypatch.setattr(manifest, "SAMPLE_BYTES", 0)
    made, said, text = run(root)
    assert (made, text) == (["packages", "settings", "settings", "disk"], WHOLE)
    (damaged,) = (line for line in said if "damaged" in line)
    assert damaged == ("packages: the result in the store is damaged and is made again: "
                       "/layer/words has another content than it had")


def test_a_step_that_fails_by_itself_fails_once(root: Path) -> None:
    run(root, ("packages",))
    with pytest.raises(InputError, match="nobody knows") as caught:
        run(root, ("packages", "settings?"))
    assert caught.value.__notes__ == ["step: settings?"]


def test_the_limit_holds_while_a_build_runs(root: Path) -> None:
    """What no step needs any more makes room at once; what is needed stays, and is counted."""
    seen: dict[str, list[str]] = {}

    @dataclass(frozen=True)
    class Large(Words):
        def make(self, inputs: Any, before: Mapping[str, Path], place: Place) -> None:
            super().make(inputs, before, place)
            (place.folder / "layer/large").write_bytes(bytes(1 << 20))
            for _ in range(100):  # eviction is done behind our back
                there = {path.parent.name for path in (root / "objects").glob("*/*")}
                seen[self.name] = sorted(there)
                if len(there) <= 1:
                    break
                time.sleep(0.02)

    class OfOne(Action):
        """It needs what it is made from and nothing else, as an OVA its VMDK."""

        @property
        def needs(self) -> tuple[Action, ...]:
            return self.after

    def one_after_the_other(names: Sequence[str]) -> dict[str, Action]:
        found: dict[str, Action] = {}
        for name in names:
            found[name] = OfOne(Large(name), Inputs(epoch=1), KEY, tuple(found.values())[-1:])
        return found

    run(root, ("one", "two", "three", "four"), 1 << 19, one_after_the_other)
    assert seen == {"one": [], "two": ["one"], "three": ["two"], "four": ["three"]}
    store = Store(root, 1 << 19)
    store.sweep()
    assert store.usage() == []


def test_a_limit_that_is_large_enough_takes_nothing_away(root: Path) -> None:
    run(root)
    assert {path.name for path in (root / "objects").iterdir()} == {*CHAIN}


def test_steps_of_many_images_are_told_apart(root: Path) -> None:
    """Two share all but their disk, a third shares their packages, a fourth nothing."""
    wishes = {"One": ("packages", "settings", "disk"), "Two": ("packages", "settings", "other"),
              "Three": ("packages", "seal"), "Four": ("pre", "packages")}
    plans = []
    for flavour, names in wishes.items():
        steps = actions(names)
        plans.append(SimpleNamespace(
            steps=steps, wanted=[steps[names[-1]]], label=flavour,
            kickstart=SimpleNamespace(scripts_of=lambda _: []),
            request=SimpleNamespace(flavour=flavour)))
    for known in (False, True):  # made, then taken from the store
        store = Store(root, 1 << 30)
        heard = Heard()
        try:
            Execution(plans, store, heard).run(lambda _: None)  # type: ignore[arg-type]
        finally:
            store.release()
        assert len(set(heard.finished)) == len(heard.finished)
        assert {"One disk", "Two other", "Three seal", "Four packages"} <= set(heard.finished)
        shared = {"One packages (and 2 more)", "One settings (and 1 more)"}
        assert known or shared <= set(heard.finished)
