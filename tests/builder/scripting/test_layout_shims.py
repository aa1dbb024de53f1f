"""findmnt, df, blkid, /proc/swaps: what scripts ask beside what a machine with the layout says."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.disk.model import Layout
from builder.sandbox.sandbox import Sandbox
from builder.scripting.layout_shims import kernel_tables, layout_shims
from tests.builder.kickstart.storage_lines import planned

LINES = """
    part biosboot --fstype=biosboot --size=1
    part /boot/efi --fstype=efi --size=64
    part /boot --fstype=ext4 --size=512 --label=boot
    part pv.1 --size=4000 --grow --encrypted --passphrase=secret
    volgroup cs pv.1
    logvol / --vgname=cs --name=root --fstype=xfs --size=2000
    logvol swap --vgname=cs --name=swap --size=256
"""
BTRFS = """
    part btrfs.1 --size=3000 --grow
    btrfs none --label=os btrfs.1
    btrfs / --subvol --name=root LABEL=os
    btrfs /home --subvol --name=home LABEL=os
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return planned(tmp_path, LINES)


def asked(
    layout: Layout, folder: Path, *commands: str, places: tuple[str, ...] = ("",),
) -> list[str]:
    """Return what commands print, each followed by its exit status where that is not 0."""
    root = folder / "tree"
    for name in ("usr", "dev", "proc", "sys", "run", "tmp", "root", "boot/efi/EFI", "home", "mnt",
                 "mnt/sysimage/boot/efi"):
        (root / name).mkdir(parents=True)
    (root / "etc").symlink_to("boot")
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "boot/kernel").write_bytes(bytes(range(256)) * (40 << 10))  # 10 MiB
    programs = {f"/dev/.shims/{name}": text for name, text in layout_shims(layout, places).items()}
    sandbox = Sandbox(root, 1, binds={"/usr": Path("/usr")}, programs=programs, path="/dev/.shims")
    script = "\n".join(f"{command} || echo \"status $?\"" for command in commands)
    for item in layout.stack:
        name = getattr(item, "name", "")
        if name.startswith("luks-"):
            script = script.replace("@LUKS@", f"/dev/mapper/{name}")
    return sandbox.run(["sh", "-c", script], merged=True).stdout.splitlines()


def test_findmnt(layout: Layout, tmp_path: Path) -> None:
    boot, root = layout.at("/boot"), layout.root
    assert boot and root
    assert asked(
        layout, tmp_path, "findmnt -no SOURCE /", "findmnt -n -o UUID -T /boot/efi/EFI",
        "findmnt --noheadings --output=UUID,FSTYPE /boot", "findmnt -rno TARGET,SOURCE /dev/vda3",
        "findmnt -P -o TARGET,FSTYPE --source LABEL=boot", "findmnt -nT /etc/ -o TARGET",
        "findmnt /boot", "findmnt -n /nowhere", "findmnt -M /root", "findmnt -T /nowhere",
        "findmnt -no TARGET -t xfs,vfat", "findmnt -J -o TARGET,LABEL /boot",
    ) == [
        "/dev/mapper/cs-root", layout.at("/boot/efi").fs_uuid,  # type: ignore[union-attr]
        f"{boot.fs_uuid} ext4", "/boot /dev/vda3", 'TARGET="/boot" FSTYPE="ext4"', "/boot",
        "TARGET SOURCE    FSTYPE OPTIONS", "/boot  /dev/vda3 ext4   rw,relatime", "status 1",
        "status 1", "status 1", "/", "/boot/efi",
        "{", '   "filesystems": [', "      {", '         "target": "/boot",',
        '         "label": "boot"', "      }", "   ]", "}",
    ]


def test_findmnt_of_subvolumes(tmp_path: Path) -> None:
    layout = planned(tmp_path, BTRFS)
    assert asked(layout, tmp_path, "findmnt -no SOURCE /home", "findmnt -nvo SOURCE /home",
                 "findmnt -no FSROOT,OPTIONS /", "blkid -s TYPE -s LABEL /dev/vda1") == [
        "/dev/vda1[/home]", "/dev/vda1", "/root rw,relatime,subvol=/root",
        '/dev/vda1: LABEL="os" TYPE="btrfs"']


def test_df(layout: Layout, tmp_path: Path) -> None:
    boot = layout.at("/boot")
    assert boot
    size = boot.size_bytes >> 10
    said = asked(
        layout, tmp_path, "df -P /boot/kernel | tail -n 1",
        "df -h --output=size,pcent,target /etc",
        "df -T /dev/vda3 | tail -n 1 | tr -s ' ' | cut -d ' ' -f 1,2,7",
        "df -P / | head -n 1 | tr -s ' '",
        "df -P | tr -s ' ' | cut -d ' ' -f 6 | tail -n 3", "df -m --output=avail /boot",
        "df /nowhere")
    words = said[0].split()
    used = int(words[2])
    assert 10240 <= used < 10300
    assert words == ["/dev/vda3", str(size), str(used), str(size - used), "2%", "/boot"]
    assert said[1:] == [
        "Size Use% Mounted on", "512M   2% /boot", "/dev/vda3 ext4 /boot",
        "Filesystem 1024-blocks Used Available Capacity Mounted on",
        "/", "/boot", "/boot/efi", "Avail", "  502", "df: /nowhere: No such file or directory",
        "status 1"]


def test_blkid(layout: Layout, tmp_path: Path) -> None:
    boot, luks = layout.at("/boot"), layout.stack[0]
    assert boot
    partuuid = (layout.partitions[2].part_uuid or "").lower()
    assert asked(
        layout, tmp_path, "blkid /dev/vda3", "blkid -s UUID -o value /dev/sda3",
        f"blkid -U {boot.fs_uuid}", "blkid -t TYPE=crypto_LUKS -o device",
        "blkid -s UUID -o value /dev/vda4", "blkid -o value -s TYPE @LUKS@",
        "blkid -t TYPE=swap -o device", "blkid -o export -s TYPE /dev/mapper/cs-root",
        "blkid -s PTTYPE /dev/vda", "blkid /dev/vdb", "blkid -L none", "blkid | wc -l",
    ) == [
        f'/dev/vda3: LABEL="boot" UUID="{boot.fs_uuid}" TYPE="ext4" PARTUUID="{partuuid}"',
        boot.fs_uuid, "/dev/vda3", "/dev/vda4", luks.uuid,  # type: ignore[union-attr]
        "LVM2_member", "/dev/mapper/cs-swap", "DEVNAME=/dev/mapper/cs-root", "TYPE=xfs", "",
        '/dev/vda: PTTYPE="gpt"', "status 2", "status 2", "8"]


def test_beside_the_tree_it_is_at_sysimage(layout: Layout, tmp_path: Path) -> None:
    assert asked(
        layout, tmp_path, "findmnt -no SOURCE /", "findmnt -no SOURCE /mnt/sysimage",
        "findmnt -no TARGET -T /mnt/sysimage/boot/efi", "findmnt -no TARGET /dev/vda3",
        places=("/mnt/sysimage", "/mnt/sysroot"),
    ) == ["LiveOS_rootfs", "/dev/mapper/cs-root", "/mnt/sysimage/boot/efi", "/mnt/sysimage/boot",
          "/mnt/sysroot/boot"]


def test_the_kernels_tables(layout: Layout) -> None:
    tables = kernel_tables(layout)
    assert tables["/proc/partitions"].splitlines()[:4] == [
        "major minor  #blocks  name", "", " 252        0   10485760 vda",
        " 252        1       1024 vda1"]
    assert [line.split() for line in tables["/proc/swaps"].splitlines()] == [
        ["Filename", "Type", "Size", "Used", "Priority"],
        ["/dev/mapper/cs-swap", "partition", str(256 * 1024 - 4), "0", "-2"]]
