"""A BIOS starts GRUB from what embed.py wrote, and GRUB reads the file systems: under QEMU."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.disk.embed import boot_patches
from builder.disk.engines import direct
from builder.disk.parts import Table
from host.mounts import private_mounts
from host.progress import Silent
from tests.builder.disk.disk_machine import serial_output
from tests.builder.disk.disk_trees import EPOCH, hybrid_layout, partition_at

pytestmark = pytest.mark.integration

GRUB = Path("/usr/lib/grub/i386-pc")
MODULES = [
    "biosdisk", "part_gpt", "part_msdos", "xfs", "ext2", "fat", "serial", "terminal", "echo", "cat",
    "configfile", "normal",
]


@pytest.mark.parametrize("table", ["gpt", "msdos"])
def test_a_bios_starts_grub_and_grub_reads_the_root(table: Table, tmp_path: Path) -> None:
    private_mounts()
    layout = hybrid_layout(table=table)
    root, boot, esp = (partition_at(layout, point) for point in ("/", "/boot", "/boot/efi"))
    tree = tmp_path / "tree"
    for name, text in {
        "etc/said": "read from xfs", "boot/said": "read from ext4",
        "boot/efi/said": "read from fat",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text + "\n")
    (tmp_path / "early.cfg").write_text(
        "serial --unit=0 --speed=115200\nterminal_output serial\n"
        f"cat (hd0,{table}{root.number})/etc/said\n"
        f"cat (hd0,{table}{boot.number})/said\ncat (hd0,{table}{esp.number})/said\n"
        "echo that was all\n",
    )
    core = tmp_path / "core.img"
    subprocess.run([
        "grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-o", core, "-p", "/grub",
        "-c", tmp_path / "early.cfg", *MODULES,
    ], check=True)
    patches = boot_patches(layout, (GRUB / "boot.img").read_bytes(), core.read_bytes())
    image = tmp_path / "disk.raw"
    direct.write(layout, tree, patches, image, EPOCH, Silent())
    said = serial_output(
        image, until="that was all", log=tmp_path / "serial.log", timeout_s=120,
    )
    assert "read from xfs" in said
    assert "read from ext4" in said
    assert "read from fat" in said
