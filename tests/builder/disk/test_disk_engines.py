"""Both engines, one contract: what went in comes out, attribute for attribute."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from builder.disk.embed import Patch
from builder.disk.engine import Engine
from builder.disk.engines import direct, guestfs
from builder.disk.layout import Layout, plan_layout
from builder.tree.marks import below, load, save
from host.errors import InputError
from host.mounts import private_mounts
from host.progress import Silent
from tests.builder.disk.disk_trees import (
    EPOCH,
    MIB,
    describe,
    expected,
    hybrid_layout,
    loop_devices,
    make_tree,
    mounted_read_only,
    partition_at,
    read_fat,
    request,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    private_mounts()
    return make_tree(tmp_path_factory.mktemp("tree"))


# i, a and A of chattr(1); the last two are where no file system keeps them, or no file is
MARKS = {"/usr/share/odd/new\nline": 0x10, "/usr/bin/ping": 0x10 | 0x80, "/boot/grub2": 0x20,
         "/boot/grub2/grub.cfg": 0x10, "/boot/efi/EFI": 0x10, "/boot/gone": 0x10}


def write(engine: Engine, layout: Layout, tree: Path, image: Path) -> Path:
    patches = [Patch(0, b"\xeb\x63" + b"boot code".ljust(438, b".")), Patch(MIB, b"core" * 500)]
    engine.write(layout, tree, patches, image, EPOCH, Silent(), MARKS)
    return image


@pytest.fixture(scope="module", params=["direct", "guestfs"])
def image(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    engine: Engine = {"direct": direct, "guestfs": guestfs}[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    image = write(engine, hybrid_layout(), tree, folder / "disk.raw")
    assert list(folder.iterdir()) == [image], "nothing but the image is left behind"
    return image


def test_the_partition_table_is_the_layout(image: Path) -> None:
    shown = subprocess.run(
        ["sfdisk", "--json", image], check=True, capture_output=True, text=True,
    ).stdout
    layout = hybrid_layout()
    for part in layout.partitions:
        assert f'"start": {part.start_bytes // 512}' in shown
        assert f'"size": {part.size_bytes // 512}' in shown
        assert part.part_uuid and part.part_uuid in shown
        assert part.type_id in shown
    assert layout.disk_uuid in shown
    subprocess.run(["sfdisk", "--verify", image], check=True)


def test_the_tree_of_each_file_system_is_whole(image: Path, tree: Path, tmp_path: Path) -> None:
    layout = hybrid_layout()
    boot = partition_at(layout, "/boot")
    with mounted_read_only(image, partition_at(layout, "/"), tmp_path / "root") as mounted:
        assert describe(mounted) == expected(tree, "/", "boot")
        assert (mounted / "usr/share/odd/holes").stat().st_blocks < 1000, "holes stay holes"
    with mounted_read_only(image, boot, tmp_path / "boot") as mounted:
        assert describe(mounted) == expected(tree, "/boot", "efi")


def test_flags_and_reserved_blocks_are_there(image: Path, tmp_path: Path) -> None:
    layout = hybrid_layout()
    for point, folder in (("/", "usr/share/odd"), ("/boot", "")):
        with mounted_read_only(image, partition_at(layout, point), tmp_path / "part") as mounted:
            status = (mounted / folder / "reserved").stat()
            assert status.st_blocks * 512 >= status.st_size, "swapon(8) takes no holes"
            (tmp_path / "result").mkdir(exist_ok=True)
            save(mounted, tmp_path / "result")
            own = below(MARKS, point, layout.below(point))
            assert load([tmp_path / "result"]) == {
                path: flags for path, flags in own.items() if path != "/gone"}


def test_the_system_partition_holds_its_files(image: Path, tree: Path, tmp_path: Path) -> None:
    part = partition_at(hybrid_layout(), "/boot/efi")
    found = read_fat(image, part, tmp_path / "efi")
    assert found == {
        path: entry.content for path, entry in describe(tree / "boot/efi").items() if entry.content
    }


def test_file_systems_are_clean_and_named(image: Path, tmp_path: Path) -> None:
    for part in hybrid_layout().partitions:
        if part.fs_uuid is None:
            continue
        shown = subprocess.run(
            ["blkid", "-p", "-o", "export", "-O", str(part.start_bytes), "-S",
             str(part.size_bytes), image], check=True, capture_output=True, text=True,
        ).stdout.splitlines()
        assert f"UUID={part.fs_uuid}" in shown
        if part.label:
            assert f"LABEL={part.label}" in shown
        piece = tmp_path / "piece"
        with image.open("rb") as source, piece.open("wb") as target:
            source.seek(part.start_bytes)
            target.write(source.read(part.size_bytes))
        checker = {
            "xfs": ["xfs_repair", "-n", "-f"], "ext4": ["e2fsck", "-f", "-n"],
            "efi": ["fsck.vfat", "-n"], "swap": ["swaplabel"],
        }[part.fstype]
        subprocess.run([*checker, piece], check=True)


def test_boot_sectors_and_table_live_together(image: Path) -> None:
    with image.open("rb") as stream:
        first = stream.read(512)
        stream.seek(MIB)
        core = stream.read(2000)
    assert first[:11] == b"\xeb\x63boot code"
    assert first[510:] == b"\x55\xaa"
    assert core == b"core" * 500


def test_the_image_is_as_sparse_as_its_content(image: Path, tree: Path) -> None:
    content = sum(path.stat().st_blocks * 512 for path in tree.rglob("*") if path.is_file())
    assert image.stat().st_size == hybrid_layout().disk_size_bytes
    assert image.stat().st_blocks * 512 < content + 24 * MIB


@pytest.mark.parametrize("engine", [direct, guestfs], ids=["direct", "guestfs"])
def test_a_tree_too_large_names_partition_and_line(
    engine: Engine, tree: Path, tmp_path: Path,
) -> None:
    folder = tmp_path / "large"
    (folder / "boot").mkdir(parents=True)
    (folder / "boot" / "huge").write_bytes(os.urandom(40 * MIB))
    layout = plan_layout(
        [request("/boot", 30, fstype="ext4", where="my.ks:7"), request("/", 300, grow=True)],
        600 * MIB, "msdos", "seed",
    )
    private_mounts()
    with pytest.raises(InputError, match=r"my\.ks:7.*partition for /boot is too small"):
        write(engine, layout, folder, tmp_path / "disk.raw")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_missing_mount_point_is_named(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(InputError, match="no folder for the mount point /boot"):
        write(direct, hybrid_layout(), tmp_path / "tree", tmp_path / "disk.raw")
    assert loop_devices() == loop_devices()
