"""Drivers that a target needs, and an initramfs that has them, or not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.booting.drivers import check_drivers
from builder.booting.initramfs_names import names
from builder.sandbox.sandbox import Sandbox
from builder.tree.tree import Tree
from host.errors import InputError

KERNEL = "6.1.0-99"
FOLDER = f"usr/lib/modules/{KERNEL}/kernel/drivers"
FILES = [f"{FOLDER}/block/virtio_blk.ko.xz", f"{FOLDER}/net/xen-netfront.ko", "init", "etc/passwd"]


def archive(folder: Path, files: list[str], size_bytes: int = 5) -> bytes:
    """Return what cpio(1) makes of files with some content."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x" * size_bytes)
    return subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=folder, check=True,
                          input="\n".join(files).encode(), capture_output=True).stdout


def packed(content: bytes, *program: str) -> bytes:
    return subprocess.run(program, input=content, capture_output=True, check=True).stdout


def listed(image: Path) -> list[str]:
    with image.open("rb") as stream:
        return list(names(stream, str(image)))


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    (tmp_path / "content").mkdir()
    return archive(tmp_path / "content", FILES)


@pytest.mark.parametrize("program", [
    ("zstd", "-q"), ("gzip", "-n"), ("xz", "--check=crc32"), ("xz", "--format=lzma"), ("bzip2",),
    ("cat",),
])
def test_the_names_in_an_initramfs_whatever_compressed_it(
    content: bytes, tmp_path: Path, program: tuple[str, ...],
) -> None:
    image = tmp_path / "initramfs.img"
    image.write_bytes(packed(content, *program))
    assert listed(image) == FILES


def test_microcode_in_an_archive_of_its_own_comes_first(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "early").mkdir()
    early = archive(tmp_path / "early", ["kernel/x86/microcode/AuthenticAMD.bin"], 3 << 20)
    image = tmp_path / "initramfs.img"
    image.write_bytes(early + packed(content, "zstd", "-q"))
    assert listed(image) == ["kernel/x86/microcode/AuthenticAMD.bin", *FILES]


@pytest.mark.parametrize(("spoil", "says"), [
    (lambda content: content[:-300], "in the middle"),
    (lambda content: packed(content, "zstd", "-q")[:-60], "before its first file"),
    (lambda content: packed(content, "gzip")[:-60], "end"),
    (lambda content: b"not an archive", "no cpio archive"),
    (lambda content: b"\x02\x21\x4c\x18" + content, "no cpio archive"),
])
def test_what_is_no_initramfs_is_said(
    content: bytes, tmp_path: Path, spoil: Callable[[bytes], bytes], says: str,
) -> None:
    image = tmp_path / "initramfs.img"
    image.write_bytes(spoil(content))
    with pytest.raises(InputError) as caught:
        listed(image)
    assert says in str(caught.value.why) and caught.value.where == str(image)


@pytest.fixture
def tree(tmp_path: Path, content: bytes) -> Tree:
    root = tmp_path / "root"
    modules = root / "usr/lib/modules" / KERNEL
    modules.mkdir(parents=True)
    (modules / "modules.builtin").write_text("kernel/drivers/nvme/host/nvme.ko\n")
    (root / "boot").mkdir()
    (root / f"boot/vmlinuz-{KERNEL}").touch()
    (root / f"boot/initramfs-{KERNEL}.img").write_bytes(packed(content, "zstd", "-q"))
    return Tree(root, Sandbox(root, 0))


@pytest.mark.parametrize("drivers", [
    ["virtio_blk", "virtio-blk"],      # the kernel says _, file names may say -
    ["xen-netfront", "xen_netfront"],
    ["nvme"],                          # built into the kernel
    ["ahci|virtio_blk"],               # either will do
    [],
])
def test_drivers_that_are_there(tree: Tree, drivers: list[str]) -> None:
    check_drivers(tree, {"kvm.yaml": drivers})


@pytest.mark.parametrize("driver", ["ena", "ahci|ata_piix", "virtio", "blk"])
def test_a_missing_driver_names_the_target(tree: Tree, driver: str) -> None:
    with pytest.raises(InputError) as caught:
        check_drivers(tree, {"kvm.yaml": ["virtio_blk"], "aws.yaml": ["nvme", driver]})
    assert f"lacks {driver}, " in str(caught.value)
    assert caught.value.where == "aws.yaml"


def test_a_kernel_without_an_initramfs_is_an_error(tree: Tree) -> None:
    tree.remove(f"/boot/initramfs-{KERNEL}.img")
    with pytest.raises(InputError, match="no initramfs"):
        check_drivers(tree, {"kvm.yaml": ["virtio_blk"]})


def test_a_tree_without_a_kernel_needs_no_driver(tree: Tree) -> None:
    tree.remove(f"/boot/vmlinuz-{KERNEL}")
    check_drivers(tree, {"kvm.yaml": ["virtio_blk"]})
