"""What the direct engine alone promises: other file systems, same bytes, trees seen as layers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from builder.disk.engines import direct
from builder.disk.layout import plan_layout
from host.mounts import mounted, overlay, private_mounts
from host.progress import Silent
from tests.builder.disk.disk_trees import (
    EPOCH,
    MIB,
    describe,
    expected,
    hybrid_layout,
    make_tree,
    mounted_read_only,
    partition_at,
    request,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    private_mounts()
    return make_tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("fstype", ["ext4", "btrfs", "ext2"])
def test_other_root_file_systems_keep_everything_as_well(
    fstype: str, tree: Path, tmp_path: Path,
) -> None:
    layout = hybrid_layout(fstype)
    direct.write(layout, tree, [], tmp_path / "disk.raw", EPOCH, Silent())
    part = partition_at(layout, "/")
    with mounted_read_only(tmp_path / "disk.raw", part, tmp_path / "root") as root:
        assert describe(root) == expected(tree, "/", "boot")


def test_ext4_and_fat_come_out_byte_for_byte(tmp_path: Path) -> None:
    """The same tree at another time, from a file system that lists folders and attributes the
    other way round.

    (Exempt: the time of access of a file with a line break in its name.)
    """
    private_mounts()
    one, other = make_tree(tmp_path / "one"), tmp_path / "other"
    for path in sorted(one.glob("usr/bin/*")):  # more attributes than the inode has room for
        for number in range(4):
            os.setxattr(path, f'trusted.{number}"odd name', bytes([number]) * (10 + 20 * number))
    (one / "usr/share/odd/new\nline").unlink()
    other.mkdir()
    images = [tmp_path / "one.raw", tmp_path / "other.raw"]
    with mounted("tmpfs", other, "tmpfs"):
        subprocess.run(["cp", "-a", "-T", one, other], check=True)
        other.chmod(0o755)
        for source, image in zip((one, other), images, strict=True):
            direct.write(hybrid_layout("ext4"), source, [], image, EPOCH, Silent())
    subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "raw", *images], check=True)


def test_a_tree_of_layers_with_mounts_inside(tree: Path, tmp_path: Path) -> None:
    """The builder hands over an overlay; what is mounted in it, such as /proc, is not copied."""
    layout = hybrid_layout()
    for name in ("upper", "work", "view", "root"):
        (tmp_path / name).mkdir()
    image = tmp_path / "disk.raw"
    with overlay([tree], tmp_path / "upper", tmp_path / "work", tmp_path / "view") as view:
        (view / "etc/shadow").unlink()
        (view / "etc/new").write_text("new")
        wanted = expected(view, "/", "boot")
        with mounted("proc", view / "proc", "proc"):
            direct.write(layout, view, [], image, EPOCH, Silent())
    with mounted_read_only(image, partition_at(layout, "/"), tmp_path / "root") as root:
        found = describe(root)
    assert found == wanted
    assert "etc/new" in found and "etc/shadow" not in found
    assert not [path for path in found if path.startswith("proc/")]


def test_file_systems_inside_file_systems(tree: Path, tmp_path: Path) -> None:
    """Each level holds its own part, and an empty folder where the next one is mounted."""
    layout = plan_layout([
        request("/", 300), request("/usr", 60, fstype="ext4"),
        request("/usr/share", 60, fstype="ext2"), request("/var", 300),
    ], 800 * MIB, "msdos", "seed")
    image = tmp_path / "disk.raw"
    direct.write(layout, tree, [], image, EPOCH, Silent())
    for point, inner in {"/": ("usr/", "var/"), "/usr": ("share/",), "/usr/share": ()}.items():
        part = partition_at(layout, point)
        with mounted_read_only(image, part, tmp_path / f"at-{part.number}") as found:
            names = set(describe(found))
        assert names == {
            path for path in describe(tree / point.lstrip("/"))
            if not path.startswith(tuple(inner) or ("\0",))
        }
