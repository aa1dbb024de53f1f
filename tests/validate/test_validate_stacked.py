"""Images whose root is not a partition: RAID, LUKS, LVM and btrfs subvolumes, really made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import InputError
from tests.validate.disks import (
    BTRFS_UUID,
    ROOT_UUID,
    STACKED_KEY,
    STACKED_LUKS_UUID,
    small_tree,
    stacked_disks,
)
from validate.artefact import inspect
from validate.key import Key, read
from validate.reader import open_image
from validate.view import View

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("stacked")
    return stacked_disks(folder, small_tree(folder / "tree"))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_bytes(STACKED_KEY)
    return read(path)


@pytest.fixture(scope="module")
def stacked(disks: tuple[Path, Path], key: Key) -> Iterator[View]:
    with open_image(inspect(disks[0]), None, key) as opened:
        yield opened


def test_root_on_lvm_on_luks_on_raid_is_read(stacked: View) -> None:
    assert stacked.disk is not None
    root = stacked.disk.mounted["/"]
    assert root.device == "/dev/mapper/cs--one-root"
    assert root.kinds == ("raid", "crypt", "lvm")
    assert root.partitions == ("/dev/sda3", "/dev/sda4")
    assert root.names == ("/dev/mapper/cs--one-root", "/dev/cs-one/root")
    assert stacked.os_release["ID"] == "centos"


def test_a_thin_volume_is_mounted_where_fstab_says(stacked: View) -> None:
    assert stacked.disk is not None
    assert stacked.disk.mounted["/var"].uuid == ROOT_UUID
    assert stacked.tree.get("/var/log") is not None, "from the thin volume"
    assert stacked.tree.get("/var/lib") is None, "below the mount point"


def test_what_is_in_the_containers_is_listed_beside_them(stacked: View) -> None:
    assert stacked.disk is not None
    assert sorted({one.type for one in stacked.disk.filesystems}) == [
        "LVM2_member", "crypto_LUKS", "ext4", "linux_raid_member"]
    assert {one.device.rstrip("0123456789") for one in stacked.disk.filesystems} == {
        "/dev/sda", "/dev/md", "/dev/mapper/cs--one-root", "/dev/mapper/cs--one-var",
        f"/dev/mapper/luks-{STACKED_LUKS_UUID}".rstrip("0123456789")}


def test_the_root_of_a_btrfs_is_the_subvolume_that_mounts_itself(
    disks: tuple[Path, Path],
) -> None:
    with open_image(inspect(disks[1]), None) as view:
        assert view.disk is not None
        root, home = view.disk.mounted["/"], view.disk.mounted["/home"]
        assert (root.uuid, root.subvolume, home.subvolume) == (BTRFS_UUID, "root", "home")
        assert root.subvolumes == ("home", "snapshots", "root", "snapshots/old")
        assert view.tree.get("/etc/os-release") is not None
        assert view.tree.get("/home/somebody") is not None
        assert view.tree.get("/snapshots") is None


def test_an_encrypted_image_without_its_key_is_one_clear_message(disks: tuple[Path, Path]) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("ccis"), "validate", disks[0]], capture_output=True,
        text=True, check=False)
    assert done.returncode == 2
    assert STACKED_LUKS_UUID in done.stderr and "--key FILE" in done.stderr
    assert str(disks[0]) in done.stderr


def test_a_wrong_key_is_named_and_not_shown(disks: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "wrong"
    path.write_text("not-the-key\n")
    with pytest.raises(InputError, match="key does not open") as caught:
        open_image(inspect(disks[0]), None, read(path)).__enter__()
    assert caught.value.where == str(path)
    assert STACKED_LUKS_UUID in str(caught.value) and "not-the-key" not in str(caught.value)
