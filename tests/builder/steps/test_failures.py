"""A failure is a failure: what ends a step, and what an image must say to go on all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.choosing import resolve
from builder.disk.layout import PartitionRequest, plan_layout
from builder.kickstart.read import read
from builder.root import bootloader
from builder.root.scriptlets import check
from builder.steps import packages
from builder.steps.contract import LAYER, Place
from builder.store import Store
from builder.tree.sandbox import Sandbox
from builder.tree.tree import Tree
from host.errors import InputError
from host.progress import Silent
from tests import small_repository
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
    request = small_repository.request(repository, store, package)
    return packages.Inputs(epoch=1, request=request, files={}, may_fail=may_fail,
                           choices=tuple(resolve(request, store).choices))


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
