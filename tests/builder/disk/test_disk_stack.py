"""LUKS, RAID, LVM and btrfs: what the engine makes is read back by libguestfs's own calls."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from builder.disk.engines import direct, guestfs
from builder.disk.engines.registry import choose
from builder.disk.model import Layout
from builder.disk.sizes import MIB
from builder.disk.volumes.lvm.model import VolumeGroup
from builder.kickstart.layout import layout_of
from builder.kickstart.read import read
from host.appliance import Drive, open_appliance
from host.errors import InputError
from host.mounts import private_mounts
from host.progress import Silent
from images import catalogue
from tests.builder.disk.disk_trees import EPOCH, describe, make_tree

pytestmark = pytest.mark.integration

PASSPHRASE = "tr0ub4dor & 'three'"


LVM_ON_LUKS = f"""
part raid.01 --size=110
part raid.02 --size=110
raid /boot --device=boot --level=1 --fstype=ext4 --label=boot raid.01 raid.02
part pv.01 --size=800 --encrypted --passphrase="{PASSPHRASE}"
volgroup my-group pv.01
logvol / --vgname=my-group --name=root --fstype=xfs --size=320 --label=root
logvol swap --vgname=my-group --name=swap --size=32 --label=swap
logvol none --vgname=my-group --name=pool-00 --thinpool --size=200
logvol /var --vgname=my-group --name=var --thin --poolname=pool-00 --fstype=ext4 --size=300
part /srv --size=80 --fstype=ext4 --encrypted --luks-version=luks1 --pbkdf-iterations=1000
"""
BTRFS_OVER_TWO = """
part btrfs.01 --size=300
part btrfs.02 --size=300
btrfs none --data=raid1 --metadata=raid1 --label=fedora btrfs.01 btrfs.02
btrfs / --subvol --name=root LABEL=fedora
btrfs /home --subvol --name=home LABEL=fedora
btrfs none --subvol --name=root/var LABEL=fedora
part pv.01 --size=160
part pv.02 --size=160 --grow
volgroup cs pv.01 pv.02
logvol /srv --vgname=cs --name=srv --fstype=xfs --size=300 --grow
"""


def planned(lines: str, folder: Path) -> Layout:
    """Return the layout that these lines of a kickstart ask for on a disk of 1200 MiB."""
    file = folder / "my.ks"
    file.write_text(lines)
    release = catalogue.release("rehearsal-10")
    return layout_of(read(file, release.dialect), 1200 * MIB, release, "a seed")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    private_mounts()
    tree = make_tree(tmp_path_factory.mktemp("tree"))
    for name in ("home", "srv"):
        (tree / name / "mine").mkdir(parents=True)
        (tree / name / "mine/file").write_text(name)
    return tree


def write(layout: Layout, tree: Path, image: Path) -> Path:
    assert guestfs.unfit(layout) is None
    guestfs.write(layout, tree, [], image, EPOCH, Silent())
    return image


def group_of(layout: Layout) -> VolumeGroup:
    return next(item for item in layout.stack if isinstance(item, VolumeGroup))


@contextmanager
def opened(image: Path, layout: Layout) -> Iterator[Any]:
    """Open an image in a fresh appliance, as far as libguestfs does it by itself, and mount it."""
    with open_appliance([Drive(image, "raw")], readonly=True) as g:
        for item in layout.stack:
            if item.kind == "luks":
                device = item.device.replace("vda", "sda")
                g.cryptsetup_open(device, PASSPHRASE, item.name, readonly=1)
        g.lvm_scan(True)
        yield g


def mount_all(g: Any, layout: Layout, names: Callable[[str], str]) -> None:
    for part in layout.mounted:
        log = {"xfs": "norecovery,", "ext4": "noload,"}.get(part.fstype, "")
        subvolume = f",subvol={part.subvolume}" if part.subvolume else ""
        g.mount_options(f"ro,{log}noatime{subvolume}", names(part.device), part.mountpoint)


def unpacked(g: Any, folder: Path) -> Path:
    """Return the whole mounted tree as a folder of the host, brought there as a tar archive."""
    archive = folder.with_suffix(".tar")
    g.tar_out("/", str(archive), numericowner=True, xattrs=True, acls=True, compress="gzip",
              excludes=["./lost+found"])
    folder.mkdir()
    subprocess.run(
        ["tar", "--extract", "--gzip", f"--file={archive}", f"--directory={folder}", "--xattrs",
         "--xattrs-include=*", "--acls", "--numeric-owner", "--same-owner",
         "--preserve-permissions"], check=True,
    )
    return folder


def test_raid_luks_lvm_and_thin_volumes(
    tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    layout = planned(LVM_ON_LUKS, tmp_path)
    with monkeypatch.context() as talkative, caplog.at_level(logging.DEBUG):
        talkative.setenv("LIBGUESTFS_DEBUG", "1")
        talkative.setenv("LIBGUESTFS_TRACE", "1")
        image = write(layout, tree, tmp_path / "disk.raw")
    assert "cryptsetup luksFormat" in caplog.text
    assert "tr0ub4dor" not in caplog.text, "the passphrase is in no log"
    with opened(image, layout) as g:
        (array,) = g.list_md_devices()
        detail = g.md_detail(array)
        (wanted,) = (item for item in layout.stack if item.kind == "md")
        assert (detail["level"], detail["uuid"]) == ("raid1", wanted.uuid)
        assert detail["devname"] == "boot", "and not boot_0: it is at home on any host"
        for item in layout.stack:
            if item.kind == "luks":
                assert g.luks_uuid(item.device.replace("vda", "sda")) == item.uuid
        (group,) = g.vgs_full()
        volumes = {full["lv_name"]: full for full in g.lvs_full()}
        wanted_group = group_of(layout)
        assert (group["vg_name"], group["vg_uuid"]) == (
            "my-group", wanted_group.uuid.replace("-", ""))
        assert {name: full["lv_uuid"] for name, full in volumes.items()} == {
            volume.name: volume.uuid.replace("-", "") for volume in wanted_group.volumes}
        assert volumes["var"]["lv_size"] == 300 * MIB
        names = {"/dev/md/boot": array}
        for part in layout.filesystems:
            device = names.get(part.device, part.device)
            assert (g.vfs_type(device), g.vfs_uuid(device), g.vfs_label(device)) == (
                part.fstype, part.fs_uuid, part.label or "")
            if part.fstype == "ext4":
                g.debug("sh", [f"e2fsck -f -n {device}"])
        mount_all(g, layout, lambda device: names.get(device, device))
        found = describe(unpacked(g, tmp_path / "found"))
    assert found == describe(tree)


def test_btrfs_subvolumes_and_lvm_over_several_partitions(tree: Path, tmp_path: Path) -> None:
    layout = planned(BTRFS_OVER_TWO, tmp_path)
    root = layout.root.model_copy(update={"fstab_options": "subvol=root,compress=zstd:1"})
    layout = layout.model_copy(update={"volumes": tuple(
        root if part == layout.root else part for part in layout.volumes)})
    image = write(layout, tree, tmp_path / "disk.raw")
    with opened(image, layout) as g:
        device = root.device.replace("vda", "sda")
        assert (g.vfs_uuid(device), g.vfs_label(device)) == (root.fs_uuid, "fedora")
        assert g.lvs() == ["/dev/cs/srv"]
        g.mount_options("ro,subvolid=5", device, "/")
        assert {entry["btrfssubvolume_path"] for entry in g.btrfs_subvolume_list("/")} == {
            "root", "home", "root/var"}
        assert "Data, RAID1" in g.debug("sh", ["btrfs filesystem df /sysroot"])
        assert "encoded" in g.debug("sh", ["filefrag -v /sysroot/root/usr/bin/ping"]), "compressed"
        g.umount_all()
        mount_all(g, layout, lambda device: device.replace("vda", "sda"))
        found = describe(unpacked(g, tmp_path / "found"))
    assert found == describe(tree)


def test_direct_says_what_it_does_not_do(tmp_path: Path) -> None:
    assert direct.unfit(planned(LVM_ON_LUKS, tmp_path)) == "the layout has LUKS encryption"
    engine, reason = choose("auto", planned(BTRFS_OVER_TWO, tmp_path))
    assert (engine.name, reason) == ("guestfs", "direct is not possible: the layout has LVM")


def test_a_group_too_small_names_the_volume_and_its_line(tree: Path, tmp_path: Path) -> None:
    """The plan knows LVM's sizes; should it be wrong, the message is clear all the same."""
    layout = planned(BTRFS_OVER_TWO, tmp_path)
    group = group_of(layout)
    (srv,) = group.volumes
    large = group.model_copy(update={"volumes": (srv.model_copy(update={"size_mib": 900}),)})
    layout = layout.model_copy(update={
        "stack": tuple(large if item == group else item for item in layout.stack)})
    with pytest.raises(InputError, match=r"my\.ks:10: the volume group cs is too small .* srv"):
        write(layout, tree, tmp_path / "disk.raw")
    assert not (tmp_path / "disk.raw").exists()


def test_a_missing_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    layout = planned(BTRFS_OVER_TWO, tmp_path)
    for program in ("tar", "sfdisk"):
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert guestfs.unfit(layout) == "LVM needs lvm, which is not installed (package lvm2)"
