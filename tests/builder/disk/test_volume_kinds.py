"""Kinds of volumes: each offers the contract, and shared code knows none of them by name."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from pydantic import ValidationError

from builder.disk import model
from builder.disk.ancestry import kernel_arguments, root_arguments
from builder.disk.layout import plan_layout
from builder.disk.model import CONTAINERS, DiskTable, Layout
from builder.disk.parts import Partition
from builder.disk.requests import PartitionRequest, StorageRequest
from builder.disk.stacking import carriers
from builder.disk.volume import Composite, Kind, Wrapper
from builder.disk.volumes.btrfs import BtrfsRequest
from builder.disk.volumes.luks import EncryptionRequest
from builder.disk.volumes.lvm.model import GroupRequest, LogicalVolumeRequest
from builder.disk.volumes.md import ArrayRequest
from builder.disk.volumes.registry import all_kinds, members
from builder.formats.machines import tree_kernel
from tests.builder.disk.disk_trees import request

BUILDER = Path(model.__file__).parents[1]
KINDS = list(all_kinds())
# Kickstart's own grammar; LXD's and LXC's kinds of storage; file systems on plain partitions.
MAY_NAME = {"kickstart", "formats", "explain.py"}
FILE_SYSTEMS = {"btrfs"}


def offered(protocol: type) -> set[str]:
    return {name for each in protocol.__mro__ for name in vars(each)
            if not name.startswith("_") and each.__module__ == Kind.__module__}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_offers_all_of_the_contract(name: str) -> None:
    kind = all_kinds()[name]
    own = Wrapper if hasattr(kind, "around") else Composite
    assert {each for each in offered(own) if not hasattr(kind, each)} == set()
    assert kind.model.model_fields["kind"].default == name
    for each in offered(own):
        wanted = inspect.getattr_static(own, each)
        if inspect.isfunction(wanted):
            names = list(inspect.signature(wanted).parameters)[1:]
            assert list(inspect.signature(getattr(kind, each)).parameters) == names, each


def test_nothing_of_two_kinds_is_called_the_same() -> None:
    kinds = all_kinds().values()
    prefixes = [kind.member.prefix for kind in kinds if kind.member.prefix]
    for names in ([kind.rank for kind in kinds], [kind.member.fstype for kind in kinds], prefixes):
        assert len(set(names)) == len(names)


def test_shared_code_knows_no_kind_by_name() -> None:
    """Whoever tells kinds apart outside their room has to be found for every new one."""
    names = {*KINDS, *members(), *(kind.member.prefix for kind in all_kinds().values())}
    classes = {kind.model.__name__ for kind in all_kinds().values()}
    wrong = []
    for file in sorted(BUILDER.rglob("*.py")):
        place = file.relative_to(BUILDER)
        if place.parts[0] in MAY_NAME or place.is_relative_to("disk/volumes"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            said = (node.value if isinstance(node, ast.Constant)
                    else node.id if isinstance(node, ast.Name) else None)
            if said in (names - FILE_SYSTEMS) | classes and isinstance(said, str):
                wrong.append(f"{place}:{node.lineno} {said}")  # type: ignore[attr-defined]
    assert wrong == []


def test_a_layout_is_read_back_from_json_as_it_was() -> None:
    secret = EncryptionRequest(passphrase="sesame")
    layout = plan_layout(StorageRequest(
        partitions=(
            request("/boot", 300), PartitionRequest(
                mountpoint="pv.1", size_mib=900, around=(secret,), where="my.ks:2")),
        volumes=(
            GroupRequest(name="cs", members=("pv.1",), where="my.ks:3"),
            LogicalVolumeRequest(mountpoint="/", name="root", group="cs", size_mib=800,
                                 where="my.ks:4"))), 2048 << 20, "gpt", "seed")
    assert [type(item) for item in Layout.model_validate_json(layout.model_dump_json()).stack] == [
        type(item) for item in layout.stack]
    assert layout.secrets() == ("sesame",)
    assert "sesame" not in layout.model_dump_json() + repr(layout)


@pytest.mark.parametrize("item", [{"kind": "zfs"}, {}, {"kind": "md", "name": "x"}])
def test_what_is_no_item_of_a_kind_is_no_layout(item: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Layout.model_validate({"table": "gpt", "disk_size_bytes": 1 << 30, "disk_uuid": "x",
                               "partitions": (), "stack": [item]})


def test_a_file_system_type_that_is_none_is_refused() -> None:
    for fstype in ("zfs", ""):
        part = Partition(mountpoint="/", fstype=fstype, size_bytes=1, fs_uuid=None, label=None,
                         number=1, start_bytes=1 << 20, type_id="83", part_uuid=None)
        for whole in (Layout, DiskTable):
            size = {"disk_size_bytes": 1 << 30} if whole is Layout else {}
            with pytest.raises(ValidationError, match="unknown file system type"):
                whole.model_validate({"table": "msdos", "disk_uuid": "x", "partitions": (part,),
                                      **size})
    assert set(CONTAINERS) >= {"lvmpv", "mdmember", "btrfsmember", "luks", "unused"}


def test_what_the_root_stands_on_is_followed_to_the_partition() -> None:
    """A btrfs on a logical volume: its partition is the one that has to be last."""
    wish = StorageRequest(partitions=(), volumes=(
        GroupRequest(name="cs", members=("pv.1",), where="my.ks:3"),
        LogicalVolumeRequest(mountpoint="btrfs.1", name="x", group="cs", where="my.ks:4"),
        BtrfsRequest(mountpoint="/", members=("btrfs.1",), where="my.ks:5")))
    assert carriers(wish, "/") == {"/", "btrfs.1", "pv.1"}


def test_what_starts_a_tree_without_its_disk_leaves_out_all_that_names_it() -> None:
    """LVM in LUKS on RAID: else a live medium would wait for each of them."""
    members = [PartitionRequest(mountpoint=f"raid.{n}", size_mib=900, where="my.ks:1")
               for n in (1, 2)]
    layout = plan_layout(StorageRequest(
        partitions=(request("/boot", 300), *members),
        volumes=(
            ArrayRequest(mountpoint="pv.1", name="a", level="raid1", members=("raid.1", "raid.2"),
                         around=(EncryptionRequest(passphrase="sesame"),), where="my.ks:2"),
            GroupRequest(name="cs", members=("pv.1",), where="my.ks:3"),
            LogicalVolumeRequest(mountpoint="/", name="root", group="cs", size_mib=400,
                                 where="my.ks:4"))), 4096 << 20, "gpt", "seed")
    words = [*kernel_arguments(layout), *root_arguments(layout)]
    assert [word.partition("=")[0] for word in words] == [
        "rd.lvm.lv", "rd.luks.uuid", "rd.md.uuid", "root"]
    assert [word for word in words if not tree_kernel._OF_A_DISK.match(word)] == []
    assert not tree_kernel._OF_A_DISK.match("rd.shell=1")
