"""A failure is a failure: what ends a step, and what an image must say to go on all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from builder.booting import bootloader
from builder.choosing import resolve
from builder.disk.layout import PartitionRequest, plan_layout
from builder.executor import Execution
from builder.graph import Action, graph, make_now
from builder.kickstart.model import Script
from builder.kickstart.read import read
from builder.packages.scriptlets import check
from builder.planner import Plan
from builder.sandbox.sandbox import Sandbox
from builder.scripting.disk import changed_layout
from builder.steps import notes, packages, pre, registry
from builder.steps.contract import Inputs, Place
from builder.store.result import LAYER
from builder.store.store import Store
from builder.tree.tree import Tree
from host.errors import InputError
from host.progress import Silent
from tests import small_repository
from tests.builder.steps.test_golden_plans import facts_of
from tests.small_repository import SmallRepository


class Said(Silent):
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRepository]:
    made = small_repository.make(tmp_path_factory.mktemp("failing"))
    for kind in ("pre", "post", "posttrans"):
        made.add(f"broken-{kind}", scriptlets=f'%{kind} -p <lua>\nerror("it can not")\n')
    made.index()
    yield made
    made.close()


def inputs(
    repository: SmallRepository, store: Store, package: str, *may_fail: str,
) -> packages.Inputs:
    selection = small_repository.selection(repository, store, package)
    return packages.Inputs(epoch=1, selection=selection, files={}, may_fail=may_fail,
                           choices=tuple(resolve(selection, store).choices))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1 << 30)


@pytest.mark.parametrize("kind", ["pre", "post", "posttrans"])
def test_a_scriptlet_that_fails_ends_the_step_unless_the_image_lets_it(
    repository: SmallRepository, store: Store, tmp_path: Path, kind: str,
) -> None:
    place = Place(tmp_path / "one", store, Silent())
    place.folder.mkdir()
    with pytest.raises(InputError, match=f"the transaction failed in broken-{kind}") as caught:
        packages.make(inputs(repository, store, f"broken-{kind}"), {}, place)
    assert "scriptlets_may_fail" in str(caught.value.remedy)
    if kind == "pre":  # rpm leaves such a package out: there is nothing to let pass
        return
    said = Said()
    place = Place(tmp_path / "two", store, said)
    place.folder.mkdir()
    packages.make(inputs(repository, store, f"broken-{kind}", f"broken-{kind}"), {}, place)
    assert [line for line in said.lines if f"package broken-{kind}" in line]
    assert (place.folder / LAYER / f"usr/share/broken-{kind}/file").is_file()


def test_what_is_no_scriptlet_s_failure_can_t_be_let_pass() -> None:
    with pytest.raises(InputError, match="failed in a package"):
        check(["Error unpacking rpm package x"], ["x", "a package"], print)


def test_a_boot_loader_without_a_kernel_is_named(tmp_path: Path) -> None:
    kickstart = tmp_path / "test.ks"
    kickstart.write_text("text\nbootloader --timeout=1\n")
    (tmp_path / "tree").mkdir()
    tree = Tree(tmp_path / "tree", Sandbox(tmp_path / "tree", 1))
    layout = plan_layout([PartitionRequest(mountpoint="/", fstype="ext4", size_mib=100,
                                           where="test.ks:3")],
                         1 << 30, "msdos", "seed")
    with pytest.raises(InputError, match="no kernel") as caught:
        bootloader.install(tree, read(kickstart, "RHEL10"), layout)
    assert caught.value.where == f"{kickstart}:2"


def test_a_table_that_pre_made_is_not_taken_for_what_post_changed(tmp_path: Path) -> None:
    layout = plan_layout([PartitionRequest(mountpoint="/", fstype="ext4", size_mib=100,
                                           where="test.ks:3")], 1 << 30, "msdos", "seed")
    text = "printf 'label: dos\\n,100M\\n' | sfdisk -q /dev/vda; exit 7\n"
    script = Script("%pre", text, "/bin/sh", False, False, None, "test.ks:1")
    store = Store(tmp_path / "store", 1 << 30)
    inputs = pre.Inputs(epoch=1, scripts=(script,), disk_size_bytes=1 << 30, arguments="")
    action = Action(registry.get("pre"), inputs, bytes(32))
    data = make_now(action, store).data
    assert pre.result(data).table is not None
    assert changed_layout(layout, data) == layout
    (note,) = notes.read(data)  # as in the plan, where nobody watches
    assert "test.ks:1: %pre without --erroronfail: status 7" in note


@pytest.mark.parametrize("damage", ["", "[1", "7", "null"])
def test_notes_that_can_t_be_read_are_none(tmp_path: Path, damage: str) -> None:
    notes.write(tmp_path, ["said"])
    assert notes.read(tmp_path) == ["said"]
    (tmp_path / "notes.json").write_text(damage)
    assert notes.read(tmp_path) == []


def test_a_conversion_of_a_file_needs_that_file_alone(tmp_path: Path) -> None:
    facts = facts_of("generic-cloud")
    actions = graph(facts, ["qcow2", "ova", "tar-xz"], bytes(32))
    assert [each.name for each in actions["qcow2"].needs] == ["disk"]
    assert [each.name for each in actions["ova"].needs] == ["vmdk"]
    assert "packages" in [each.name for each in actions["tar-xz"].needs]


@pytest.mark.parametrize(("image", "wanted"), [
    ("azure", ["disk", "vhd", "drivers"]), ("wsl", ["seal", "wsl"])])
def test_a_build_is_not_done_before_the_steps_that_only_look(
    image: str, wanted: list[str],
) -> None:
    facts = facts_of(image)
    steps = graph(facts, facts.request.wanted_formats, bytes(32))
    plan = Plan(**vars(facts), label="x", engine_reason="", steps=steps)
    assert [action.name for action in plan.wanted] == wanted


class Failing:
    """A step that fails, with the scripts' own %onerror or without."""

    after = programs = ()

    def __init__(self, name: str, own: bool = False) -> None:
        self.name, self.own = name, own

    def make(self, inputs: Inputs, before: object, place: Place) -> None:
        error = InputError("the real error")
        if self.own:
            vars(error)["has_run_onerror"] = True
        raise error


@pytest.mark.parametrize(("own", "times"), [(False, 1), (True, 0)])
def test_onerror_runs_once_for_a_failure_and_never_hides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool, times: int,
) -> None:
    ran: list[int] = []

    def onerror(*_: object) -> None:
        ran.append(1)
        raise InputError("another one")

    monkeypatch.setattr(Execution, "_run_onerror", onerror)
    monkeypatch.setattr("builder.graph.registry.modules_of", lambda _: ("builder.steps.notes",))
    actions = [Action(Failing(f"step-{n}", own), Inputs(epoch=n), b"")  # type: ignore[arg-type]
               for n in range(2)]
    plan = SimpleNamespace(wanted=actions, steps={each.name: each for each in actions}, label="x",
                           options=SimpleNamespace(flavour="x"))
    run = Execution([plan], Store(tmp_path / "s", 1 << 30), Silent())  # type: ignore[list-item]
    with pytest.raises(InputError, match="the real error"):
        run.run(lambda _: None)
    assert len(ran) == times
