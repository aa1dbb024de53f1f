"""LUKS, RAID, LVM and btrfs: what the engine makes is read back by libguestfs's own calls."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from builder.disk import direct, guestfs_engine
from builder.disk.model import (
    MIB,
    Array,
    BtrfsVolume,
    Encryption,
    Layout,
    LogicalVolume,
    Partition,
    Volume,
    VolumeGroup,
)
from host.appliance import Drive, open_appliance
from host.errors import InputError
from host.mounts import private_mounts
from host.progress import Silent
from tests.builder.disk.disk_trees import EPOCH, describe, make_tree

pytestmark = pytest.mark.integration

PASSPHRASE = "tr0ub4dor & 'three'"


def identity(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def partitions(*sizes_mib: tuple[str, int]) -> tuple[Partition, ...]:
    """Lay partitions of these types and sizes one behind the other."""
    made: list[Partition] = []
    start_bytes = MIB
    for number, (fstype, size_mib) in enumerate(sizes_mib, start=1):
        made.append(Partition.model_validate({
            "number": number, "start_bytes": start_bytes, "size_bytes": size_mib * MIB,
            "type_id": "0FC63DAF-8483-4772-8E79-3D69D8477DE4", "part_uuid": identity(900 + number),
            "mountpoint": None, "fstype": fstype, "fs_uuid": None, "label": None,
        }))
        start_bytes += size_mib * MIB
    return tuple(made)


def volume(mountpoint: str | None, fstype: str, device: str, number: int, **more: Any) -> Volume:
    return Volume.model_validate({
        "mountpoint": mountpoint, "fstype": fstype, "device": device, "size_bytes": 100 * MIB,
        "fs_uuid": identity(number), "label": None, "where": "my.ks:9", **more,
    })


def lvm_on_luks() -> Layout:
    """/boot on RAID 1; the rest in LVM in LUKS, /var on a thin volume; /srv in a LUKS1 of its own.

    part raid.01 --size=100                 part pv.01 --size=700 --encrypted --passphrase=…
    part raid.02 --size=100                 volgroup my-group pv.01
    raid /boot --level=1 --device=boot …    logvol / --fstype=xfs --name=root …
    part /srv --encrypted --luks-version=luks1 …
    """
    parts = partitions(("mdmember", 100), ("mdmember", 100), ("luks", 700), ("luks", 80))
    inner, srv = f"luks-{identity(2)}", f"luks-{identity(3)}"
    return Layout(
        table="gpt", disk_size_bytes=1024 * MIB, disk_uuid=identity(99), partitions=parts,
        stack=(
            Array(name="boot", level="raid1", devices=("/dev/vda1", "/dev/vda2"),
                  uuid=identity(1)),
            Encryption(device="/dev/vda3", name=inner, uuid=identity(2), passphrase=PASSPHRASE),
            Encryption(device="/dev/vda4", name=srv, uuid=identity(3), version="luks1",
                       options=("--pbkdf-force-iterations=1000",), passphrase=PASSPHRASE),
            VolumeGroup(
                name="my-group", devices=(f"/dev/mapper/{inner}",), uuid=identity(4), volumes=(
                    LogicalVolume(name="root", size_mib=320, uuid=identity(5)),
                    LogicalVolume(name="swap", size_mib=32, uuid=identity(6)),
                    LogicalVolume(name="pool-00", size_mib=200, role="thinpool", metadata_mib=4,
                                  uuid=identity(7)),
                    LogicalVolume(name="var", size_mib=300, role="thin", pool="pool-00",
                                  uuid=identity(8)),
                ),
            ),
        ),
        volumes=(
            volume("/boot", "ext4", "/dev/md/boot", 21, label="boot"),
            volume("/", "xfs", "/dev/mapper/my--group-root", 22, label="root"),
            volume(None, "swap", "/dev/mapper/my--group-swap", 23, label="swap"),
            volume("/var", "ext4", "/dev/mapper/my--group-var", 24),
            volume("/srv", "ext4", f"/dev/mapper/{srv}", 25),
        ),
    )


def btrfs_over_two() -> Layout:
    """A btrfs over two partitions with subvolumes, one inside another, and plain LVM over two.

    part btrfs.01 --size=300                part pv.01 --size=200
    part btrfs.02 --size=300                part pv.02 --size=200
    btrfs none --data=raid1 --metadata=raid1 --label=fedora btrfs.01 btrfs.02
    btrfs / --subvol --name=root fedora     volgroup cs pv.01 pv.02
    btrfs /home --subvol --name=home …      logvol /srv --fstype=xfs --name=srv --vgname=cs …
    """
    parts = partitions(("btrfsmember", 300), ("btrfsmember", 300), ("lvmpv", 200), ("lvmpv", 200))
    on = ("/dev/vda1", "/dev/vda2")
    return Layout(
        table="gpt", disk_size_bytes=1024 * MIB, disk_uuid=identity(99), partitions=parts,
        stack=(
            BtrfsVolume(devices=on, uuid=identity(1), label="fedora", data="raid1",
                        metadata="raid1", subvolumes=("root/var", "root", "home")),
            VolumeGroup(
                name="cs", devices=("/dev/vda3", "/dev/vda4"), uuid=identity(2),
                volumes=(LogicalVolume(name="srv", size_mib=380, uuid=identity(3)),),
            ),
        ),
        volumes=(
            volume("/", "btrfs", on[0], 1, subvolume="root",
                   fstab_options="subvol=root,compress=zstd:1"),
            volume("/home", "btrfs", on[0], 1, subvolume="home"),
            volume("/srv", "xfs", "/dev/mapper/cs-srv", 22),
        ),
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    private_mounts()
    tree = make_tree(tmp_path_factory.mktemp("tree"))
    for name in ("home", "srv"):
        (tree / name / "mine").mkdir(parents=True)
        (tree / name / "mine/file").write_text(name)
    return tree


def write(layout: Layout, tree: Path, image: Path) -> Path:
    assert guestfs_engine.unfit(layout) is None
    guestfs_engine.write(layout, tree, [], image, EPOCH, Silent())
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
    layout = lvm_on_luks()
    monkeypatch.setenv("LIBGUESTFS_DEBUG", "1")
    monkeypatch.setenv("LIBGUESTFS_TRACE", "1")
    with caplog.at_level(logging.DEBUG):
        image = write(layout, tree, tmp_path / "disk.raw")
    assert "cryptsetup luksFormat" in caplog.text
    assert "tr0ub4dor" not in caplog.text, "the passphrase is in no log"
    monkeypatch.delenv("LIBGUESTFS_DEBUG")
    monkeypatch.delenv("LIBGUESTFS_TRACE")
    with opened(image, layout) as g:
        (array,) = g.list_md_devices()
        detail = g.md_detail(array)
        assert (detail["level"], detail["uuid"].replace(":", "")) == (
            "raid1", identity(1).replace("-", ""))
        assert detail["devname"] == "boot", "and not boot_0: it is at home on any host"
        assert [g.luks_uuid(f"/dev/sda{number}") for number in (3, 4)] == [
            identity(2), identity(3)]
        assert g.vgs() == ["my-group"]
        (group,) = g.vgs_full()
        assert group["vg_uuid"] == identity(4).replace("-", "")
        volumes = {full["lv_name"]: full for full in g.lvs_full()}
        assert {name: full["lv_uuid"] for name, full in volumes.items()} == {
            lv.name: lv.uuid.replace("-", "") for lv in group_of(layout).volumes}
        assert volumes["var"]["lv_size"] == 300 * MIB
        swap = "/dev/mapper/my--group-swap"
        assert (g.vfs_type(swap), g.vfs_uuid(swap), g.vfs_label(swap)) == (
            "swap", identity(23), "swap")
        names = {"/dev/md/boot": array}
        for part in layout.mounted:
            assert g.vfs_uuid(names.get(part.device, part.device)) == part.fs_uuid
        for device in (array, "/dev/mapper/my--group-var", layout.volumes[-1].device):
            g.debug("sh", [f"e2fsck -f -n {device}"])
        mount_all(g, layout, lambda device: names.get(device, device))
        found = describe(unpacked(g, tmp_path / "found"))
    assert found == describe(tree)


def test_btrfs_subvolumes_and_lvm_over_several_partitions(tree: Path, tmp_path: Path) -> None:
    layout = btrfs_over_two()
    image = write(layout, tree, tmp_path / "disk.raw")
    with opened(image, layout) as g:
        assert g.vfs_uuid("/dev/sda1") == identity(1)
        assert g.vfs_label("/dev/sda1") == "fedora"
        assert g.lvs() == ["/dev/cs/srv"]
        g.mount_options("ro,subvolid=5", "/dev/sda1", "/")
        assert {entry["btrfssubvolume_path"] for entry in g.btrfs_subvolume_list("/")} == {
            "root", "home", "root/var"}
        assert "Data, RAID1" in g.debug("sh", ["btrfs filesystem df /sysroot"])
        assert "encoded" in g.debug("sh", ["filefrag -v /sysroot/root/usr/bin/ping"]), "compressed"
        g.umount_all()
        mount_all(g, layout, lambda device: device.replace("vda", "sda"))
        found = describe(unpacked(g, tmp_path / "found"))
    assert found == describe(tree)


def test_direct_says_what_it_does_not_do() -> None:
    assert direct.unfit(lvm_on_luks()) == "the layout has software RAID"
    assert direct.unfit(btrfs_over_two()) == "the layout has btrfs subvolumes"


def test_a_volume_too_small_names_it_and_its_line(tree: Path, tmp_path: Path) -> None:
    layout = btrfs_over_two()
    large = group_of(layout).model_copy(update={"where": "my.ks:5", "volumes": (
        LogicalVolume(name="srv", size_mib=500, uuid=identity(3)),)})
    layout = layout.model_copy(update={"stack": (layout.stack[0], large)})
    with pytest.raises(InputError, match=r"my\.ks:5: the volume group cs is too small .* srv"):
        write(layout, tree, tmp_path / "disk.raw")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    for program in ("tar", "sfdisk"):
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert guestfs_engine.unfit(lvm_on_luks()) == (
        "software RAID needs mdadm, which is not installed (package mdadm)")


