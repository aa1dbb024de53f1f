"""The disk of the store runs full while a step runs: that is said, whatever the step took it for.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builder.choosing import resolve
from builder.executor import Execution
from builder.graph import Action, make_now
from builder.steps import packages
from builder.steps.contract import Inputs, Place
from builder.store.store import Store
from host.errors import CcisError, HostError, InputError, ProgramError
from host.mounts import mounted, private_mounts
from host.progress import Silent
from tests import small_repository
from tests.security.sandboxed import MIB, a_place
from tests.small_repository import SmallRepository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRepository]:
    made = small_repository.make(tmp_path_factory.mktemp("full"))
    greedy = ('local f = io.open("/usr/share/more", "w")\n'
              'for i = 1, 200 do f:write(string.rep("x", 1024 * 1024)) end\nf:close()\n')
    made.add("greedy", scriptlets=f"%post -p <lua>\n{greedy}")
    made.add("loud", scriptlets=f'%post -p <lua>\n{greedy}error("it failed")\n')
    vast = made.folder.parent / "vast"
    vast.write_bytes(bytes(24 * MIB))
    made.add("vast", programs={"/usr/share/vast/more": vast})
    made.index()
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB."""
    private_mounts()
    point = tmp_path / "small"
    point.mkdir()
    with mounted("tmpfs", point, "tmpfs", [f"size={48 * MIB}"]):
        yield point


FILLING = "head -c 100M /dev/zero > /root/file"


@pytest.mark.parametrize("script", [
    FILLING, f"{FILLING}; exit 7", f"{FILLING}; exit 0", f"{FILLING} || true",
    "fallocate -l 400M /root/file", "cp /dev/zero /root/file 2>/dev/null; exit 0",
    "mkdir /root/{1..3000} 2>/dev/null; exit 0",
], ids=["fails", "fails by itself", "goes on", "does not mind", "asks for too much", "says nothing",
        "of folders"])
def test_a_script_without_erroronfail_is_not_kept(tmp_path: Path, script: str) -> None:
    private_mounts()
    point = tmp_path / "disk"
    point.mkdir()
    options = [f"size={48 * MIB}", "nr_inodes=2000"]
    with mounted("tmpfs", point, "tmpfs", options), a_place(point) as place:
        with pytest.raises(HostError) as caught:
            place.post(f"text\n%post --interpreter=/bin/bash\n{script}\n%end\n")
        error = caught.value
        assert error.what in ("the %post script had no room left on the host's disk",
                              "the %post script nearly filled the host's disk")
        assert error.where == f"{place.folder}/test.ks:2"
        assert error.remedy and "CCIS_STORE" in error.remedy


@pytest.mark.parametrize("script", [
    "exit 7", "head -c 20M /dev/zero > /root/file; exit 7",
    "head -c 20M /dev/zero > /root/file; rm /root/file; exit 1",
    "echo 'No space left on device'",
])
def test_a_script_that_fails_by_its_own_wish_is_none_of_this(small: Path, script: str) -> None:
    with a_place(small) as place:
        place.post(f"text\n%post --interpreter=/bin/bash\n{script}\n%end\n")


def test_what_a_script_prints_into_a_full_disk_does_not_hang_it(tmp_path: Path) -> None:
    private_mounts()
    point = tmp_path / "disk"
    point.mkdir()
    with (mounted("tmpfs", point, "tmpfs", [f"size={8 * MIB}"]), a_place(point) as place,
          pytest.raises(HostError, match=r"host's disk|writing /root/log")):
        place.post("text\n%post --log=/root/log\nyes 0123456789 | head -c 12M\n%end\n")


@pytest.mark.parametrize("package", ["greedy", "loud"])
def test_a_scriptlet_that_finds_no_room_is_no_failure_that_an_image_may_let_pass(
    repository: SmallRepository, small: Path, tmp_path: Path, package: str,
) -> None:
    elsewhere = Store(tmp_path / "store", 1 << 30)
    selection = small_repository.selection(repository, elsewhere, package)
    inputs = packages.Inputs(epoch=1, selection=selection, files={}, may_fail=(package,),
                             choices=tuple(resolve(selection, elsewhere).choices))
    (small / "one").mkdir()
    with pytest.raises(HostError, match=r"package transaction (had no room|nearly filled)"):
        packages.make(inputs, {}, Place(small / "one", elsewhere, Silent()))


@dataclass(frozen=True)
class Filling:
    """A step that fills the disk, and then says something else."""

    failure: Exception
    bytes: int = 60 * MIB
    name: str = "filling"
    after: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        vars(self)["__name__"] = "builder.steps.contract"

    def inputs(self, facts: object) -> Inputs:
        return Inputs(epoch=1)

    def make(self, inputs: Any, before: Mapping[str, Path], place: Place) -> None:
        try:
            with (place.folder / "file").open("wb", buffering=0) as stream:
                for _ in range(self.bytes // MIB):
                    stream.write(bytes(MIB))
        except OSError:
            pass
        raise self.failure


FAILURES = [
    InputError("the script failed with status 1", where="t.ks:1", remedy="correct the script"),
    ProgramError(["dracut"], 1, ["dracut: No space left on device"]), HostError("no answer"),
    OSError(errno.EIO, "Input/output error"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: str(failure)[:30])
def test_a_step_that_fails_on_a_full_disk_says_so(small: Path, failure: Exception) -> None:
    action = Action(Filling(failure), Inputs(epoch=1), bytes(32))
    store = Store(small / "store", 1 << 30)
    plan = SimpleNamespace(
        steps={"filling": action}, wanted=[action], label="image",
        kickstart=SimpleNamespace(scripts_of=lambda _: []),
        options=SimpleNamespace(flavour="Image", targets=[]))
    for run in (lambda: Execution([plan], store, Silent()).run(print),  # type: ignore[list-item]
                lambda: make_now(action, store)):
        with pytest.raises(HostError) as caught:
            run()
        assert "No space left on device" in str(caught.value)
        assert caught.value.remedy and "CCIS_STORE" in caught.value.remedy
        assert not list((store.root / "staging").iterdir())
    assert not (store.root / "objects/filling").exists()


def test_a_step_that_fails_beside_a_full_disk_says_what_it_says(small: Path) -> None:
    failure = InputError("the script failed with status 1")
    action = Action(Filling(failure, bytes=10 * MIB), Inputs(epoch=1), bytes(32))
    with pytest.raises(CcisError) as caught:
        make_now(action, Store(small / "store", 1 << 30))
    assert caught.value is failure


def test_packages_that_rpm_says_have_no_room(
    repository: SmallRepository, tmp_path: Path,
) -> None:
    private_mounts()
    point = tmp_path / "tiny"
    point.mkdir()
    elsewhere = Store(tmp_path / "store", 1 << 30)
    selection = small_repository.selection(repository, elsewhere, "vast")
    inputs = packages.Inputs(epoch=1, selection=selection, files={}, may_fail=(),
                             choices=tuple(resolve(selection, elsewhere).choices))
    with mounted("tmpfs", point, "tmpfs", [f"size={12 * MIB}"]):
        (point / "one").mkdir()
        with pytest.raises(HostError, match="don't fit on the host's disk") as caught:
            packages.make(inputs, {}, Place(point / "one", elsewhere, Silent()))
    assert "At least" in str(caught.value.why) and "CCIS_STORE" in str(caught.value.remedy)
