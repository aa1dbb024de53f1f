"""Storage lines that Anaconda's own tests use, beside what the disk and fstab become."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.disk.fstab import fstab
from builder.disk.model import Layout
from host.errors import InputError
from tests.builder.kickstart.storage_lines import partitions, planned, stack, volumes

BOOT = "part /boot --size=500\n"
LVM = BOOT + "part pv.01 --size=8000\nvolgroup cs pv.01\n"
MIRROR = "part raid.01 --size=3000\npart raid.02 --size=3000\n"


def mounts(layout: Layout) -> dict[str, str]:
    """Return the mount options of fstab by mount point."""
    lines = [line.split() for line in fstab(layout).splitlines() if line and line[0] != "#"]
    return {words[1]: words[3] for words in lines}


@pytest.mark.parametrize(("lines", "expected"), [
    # As in Fedora's live kickstarts, where a file that another one includes says / first.
    ("part / --size=3072 --fstype=ext4\npart / --size=5000 --fstype=xfs", ["/ xfs 5000"]),
    ("part / --size=3000\npart /home --size=500\npart / --size=4000 --fstype=ext4",
     ["/home xfs 500", "/ ext4 4000"]),
    # A swap is no mount point: there are two.
    ("part swap --size=100\npart swap --size=200\npart / --size=3000",
     ["- swap 100", "- swap 200", "/ xfs 3000"]),
])
def test_the_last_partition_for_a_mount_point_counts(
    tmp_path: Path, lines: str, expected: list[str],
) -> None:
    found = [f"{part.mountpoint or '-'} {part.fstype} {part.size_bytes >> 20}"
             for part in planned(tmp_path, lines).partitions]
    assert found == expected


@pytest.mark.parametrize(("lines", "expected"), [
    ("logvol / --vgname=cs --name=a --size=1000\nlogvol / --vgname=cs --name=b --size=2000",
     ["/dev/mapper/cs-b / xfs 2000"]),
    # Anaconda carries out all part lines before any logvol line, wherever they stand.
    ("logvol / --vgname=cs --name=root --size=1000\npart / --size=1000",
     ["/dev/mapper/cs-root / xfs 1000"]),
])
def test_the_last_volume_for_a_mount_point_counts(
    tmp_path: Path, lines: str, expected: list[str],
) -> None:
    layout = planned(tmp_path, LVM + lines)
    assert volumes(layout) == expected
    assert not any(part.mountpoint == "/" for part in layout.partitions)


def test_a_line_that_another_one_replaces_is_said(tmp_path: Path) -> None:
    (where, why), = planned(tmp_path, "part / --size=1000\npart / --size=2000").notes
    assert where.endswith("test.ks:1")
    assert why.startswith("/ is said again at ") and "test.ks:2" in why


@pytest.mark.parametrize(("line", "options"), [
    ("part /tmp --fstype=tmpfs --size=5000", "defaults,size=5000m"),
    ("part /tmp --fstype=tmpfs --fsoptions=mode=1777,nosuid", "mode=1777,nosuid"),
])
def test_a_tmpfs_is_a_line_of_fstab_and_no_partition(
    tmp_path: Path, line: str, options: str,
) -> None:
    layout = planned(tmp_path, f"part / --size=2000\n{line}")
    assert partitions(layout) == ["1 / xfs 1+2000"]
    assert fstab(layout).splitlines()[-1].split() == ["tmpfs", "/tmp", "tmpfs", options, "0", "0"]


@pytest.mark.parametrize(("line", "says"), [
    ("part /tmp --fstype=tmpfs --size=9 --encrypted --passphrase=x", "a tmpfs is on no disk"),
    ("part /etc --fstype=tmpfs --size=10", "/etc must be on the root file system"),
    ("part / --fstype=tmpfs --size=10", "two file systems for /"),
])
def test_what_a_tmpfs_cannot_be(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        planned(tmp_path, f"part / --size=2000\n{line}")


def test_mount_options_of_a_btrfs_s_parts_hold_for_its_subvolumes(tmp_path: Path) -> None:
    layout = planned(tmp_path, BOOT + """\
        part btrfs.10 --fstype=btrfs --size=4400 --fsoptions=loud,noatime
        btrfs none --label=fedora-btrfs btrfs.10
        btrfs / --subvol --name=root fedora-btrfs
        btrfs /home --subvol --name=home fedora-btrfs""")
    found = mounts(layout)
    assert found["/"] == "subvol=root,loud,noatime"
    assert found["/home"] == "subvol=home,loud,noatime"


def test_of_several_members_of_a_btrfs_the_first_one_s_options_hold_but_for_its_subvolume(
    tmp_path: Path,
) -> None:
    """blivet/devices/btrfs.py: BTRFSVolumeDevice._set_format, _set_mountopts of its subvolumes."""
    layout = planned(tmp_path, BOOT + """\
        part btrfs.10 --fstype=btrfs --size=2200 --fsoptions=subvol=x,noatime
        part btrfs.11 --fstype=btrfs --size=2200 --fsoptions=loud
        btrfs none --label=both btrfs.10 btrfs.11
        btrfs / --subvol --name=root both""")
    assert mounts(layout)["/"] == "subvol=root,noatime"


@pytest.mark.parametrize("name", ["md_test", "/dev/md/md_test", "pv.01"])
def test_a_group_may_call_an_array_by_its_own_name(tmp_path: Path, name: str) -> None:
    layout = planned(tmp_path, BOOT + MIRROR + f"""\
        raid pv.01 --level=RAID1 --device=md_test raid.01 raid.02
        volgroup fedora {name}
        logvol / --name=root --vgname=fedora --size=1000""")
    assert stack(layout) == ["md md_test: /dev/vda2 /dev/vda3", "lvm fedora: /dev/md/md_test"]


def test_the_efi_system_partition_may_be_on_a_mirror(tmp_path: Path) -> None:
    layout = planned(tmp_path, BOOT + MIRROR + """\
        raid /boot/efi --level=1 --device=3 --fstype=efi raid.01 raid.02
        part / --size=2000""")
    efi = next(item for item in layout.stack if item.kind == "md")
    assert efi.metadata == "1.0"  # behind the data: firmware sees a FAT on each member
    assert mounts(layout)["/boot/efi"] == "umask=0077,shortname=winnt"


def test_each_kind_of_swap_may_be_encrypted(tmp_path: Path) -> None:
    layout = planned(tmp_path, BOOT + MIRROR + """\
        part swap --size=100 --encrypted --passphrase=TestCase
        part pv.1 --size=1000
        volgroup fedora pv.1
        logvol swap --name=swap --vgname=fedora --size=400 --encrypted --passphrase=TestCase
        raid swap --level=1 --device=0 --encrypted --passphrase=TestCase raid.01 raid.02
        part / --size=1000""")
    swaps = [line.split()[0] for line in fstab(layout).splitlines() if " swap " in line]
    luks = [f"/dev/mapper/{item.name}" for item in layout.stack if item.kind == "luks"]
    assert len(swaps) == 3 and sorted(swaps) == sorted(luks)
