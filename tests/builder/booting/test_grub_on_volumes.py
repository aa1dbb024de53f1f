"""GRUB on disks with LVM, LUKS, RAID and btrfs: the lines, and what it is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.booting import bootloader, initramfs
from builder.booting.grub_probe import disk_in_sight, probe_script, relpath_script
from builder.disk.model import Layout
from builder.sandbox.sandbox import Sandbox
from builder.tree.tree import Tree
from host.errors import InputError
from tests.builder.kickstart.storage_lines import planned
from tests.builder.kickstart.test_storage_volumes import BOOT_ON_RAID, BTRFS, LVM_ON_LUKS

ENTRY = """title CentOS Stream (6.1.0) 10
linux /vmlinuz-6.1.0
initrd /boot/initramfs-6.1.0.img $tuned_initrd
options root=/dev/nowhere of-the-build-host
"""


def answer(folder: Path, text: str, *words: str) -> str:
    script = folder / "script"
    script.write_text(text)
    return subprocess.run(["/bin/sh", script, *words], capture_output=True, text=True,
                          check=True).stdout.strip()


@pytest.mark.parametrize(("lines", "words", "said"), [
    (LVM_ON_LUKS, "--target=device /", "/dev/mapper/cs-root"),
    (LVM_ON_LUKS, "--target=device /boot", "/dev/vda2"),
    (LVM_ON_LUKS, "--target=disk /", "/dev/vda"),
    (LVM_ON_LUKS, "--target=disk /boot/grub2", "/dev/vda"),
    (LVM_ON_LUKS, "--target=abstraction --device /dev/mapper/cs-root", "lvm cryptodisk luks2"),
    (LVM_ON_LUKS, "--target=abstraction /boot", ""),
    (LVM_ON_LUKS, "-t fs --device /dev/mapper/cs-root", "xfs"),
    (LVM_ON_LUKS, "-t drive /boot", "(hd0,gpt2)"),
    (BTRFS, "--target=fs /boot", "btrfs"), (BTRFS, "--target=device /", "/dev/vda3"),
    (BTRFS, "--target=disk /boot/grub2", "/dev/vda"),
    (BOOT_ON_RAID, "--target=device /boot", "/dev/md/boot"),
    (BOOT_ON_RAID, "--target=abstraction /boot", "diskfilter mdraid1x"),
    (BOOT_ON_RAID, "--target=partmap /boot", "gpt"),
    ("part /boot/efi --size=100\npart / --size=1000", "--target=device /boot/efi", "/dev/vda1"),
    ("part /boot/efi --size=100\npart / --size=1000", "--target=device /boot", "/dev/vda2"),
])
def test_grub2_probe(tmp_path: Path, lines: str, words: str, said: str) -> None:
    assert answer(tmp_path, probe_script(planned(tmp_path, lines)), *words.split()) == said


@pytest.mark.parametrize(("lines", "path", "said"), [
    ("part / --size=1000", "/boot/vmlinuz", "/boot/vmlinuz"), ("part / --size=1000", "/", ""),
    (LVM_ON_LUKS, "/boot/vmlinuz", "/vmlinuz"), (LVM_ON_LUKS, "/boot", ""),
    (BTRFS, "/boot/vmlinuz", "/root/boot/vmlinuz"), (BTRFS, "/", "/root"),
])
def test_grub2_mkrelpath(tmp_path: Path, lines: str, path: str, said: str) -> None:
    said = said.rstrip("/")
    assert answer(tmp_path, relpath_script(planned(tmp_path, lines)), path).rstrip("/") == said


@pytest.mark.parametrize(("lines", "top"), [
    ("part / --size=1000\nbootloader", "/boot"), (LVM_ON_LUKS, ""), (BTRFS, "/root/boot")])
def test_boot_entries_get_the_paths_and_options_of_this_disk(
    tmp_path: Path, lines: str, top: str,
) -> None:
    layout = planned(tmp_path, lines)
    tree = tree_of(tmp_path)
    tree.write("/boot/loader/entries/one.conf", ENTRY)
    bootloader._point_entries_at(tree, layout, r"root=UUID=x ro \1")
    assert tree.read("/boot/loader/entries/one.conf") == (
        "title CentOS Stream (6.1.0) 10\n"
        f"linux {top}/vmlinuz-6.1.0\n"
        f"initrd {top}/initramfs-6.1.0.img $tuned_initrd\n"
        "options root=UUID=x ro \\1\n")


def test_the_stub_for_uefi_leads_into_the_subvolume(tmp_path: Path) -> None:
    layout = planned(tmp_path, BTRFS + "part /boot/efi --size=100")
    tree = tree_of(tmp_path)
    tree.write("/boot/efi/EFI/centos/grubx64.efi", "")
    bootloader._write_uefi_stubs(tree, layout)
    assert f"--set=dev {layout.root.fs_uuid}\nset prefix=($dev)/root/boot/grub2\n" in (
        tree.read("/boot/efi/EFI/centos/grub.cfg"))


def test_the_programs_see_the_devices_of_the_disk_to_come(tmp_path: Path) -> None:
    layout = planned(tmp_path, LVM_ON_LUKS)
    with disk_in_sight(tree_of(tmp_path), layout) as sighted:
        links = set(sighted.sandbox.links)
    assert {"/dev/mapper/cs-root", f"/dev/disk/by-uuid/{layout.root.fs_uuid}"} <= links


@pytest.mark.parametrize(("lines", "words"), [
    ("part / --size=1000", []),
    (LVM_ON_LUKS, ["--add", "crypt lvm"]), (BTRFS, ["--add", "btrfs"]),
    (BOOT_ON_RAID, ["--add", "mdraid", "--mdadmconf"]),
])
def test_the_initramfs_gets_what_opens_the_disk(
    tmp_path: Path, lines: str, words: list[str],
) -> None:
    layout: Layout = planned(tmp_path, lines)
    tree = tree_of(tmp_path)
    if words:
        with pytest.raises(InputError, match="which opens its disk"):
            initramfs._disk_words(tree, layout)
    for program in ("cryptsetup", "lvm", "mdadm", "btrfs"):
        tree.write(f"/usr/sbin/{program}", "")
    assert initramfs._disk_words(tree, layout) == words


def tree_of(folder: Path) -> Tree:
    (folder / "root").mkdir()
    return Tree(folder / "root", Sandbox(folder / "root", 0))
