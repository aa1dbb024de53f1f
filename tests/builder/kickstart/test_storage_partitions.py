"""part, clearpart, autopart, reqpart and their like: the lines, and the partitions they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.errors import InputError
from tests.builder.kickstart.storage_lines import (
    MIB,
    made_by_pre,
    partitions,
    planned,
    stack,
    volumes,
)


@pytest.mark.parametrize(("lines", "expected"), [
    ("""part biosboot --fstype=biosboot --size=1
        part prepboot --size=4 --fstype=prepboot --asprimary
        part /boot/efi --fstype=efi --size=200 --fsoptions="defaults,uid=0"
        part /boot --size=1000 --label=boot
        part / --size=3000 --grow --ondisk=sda""",
     ["1 - biosboot 1+1", "2 - prepboot 2+4", "3 /boot/efi efi 6+200",
      "4 /boot xfs 206+1000", "5 / xfs 1206+9033"]),
    ("""part / --fstype=ext4 --size=6144 --ondrive=/dev/vda
        part swap --recommended""",
     ["1 - swap 1+1024", "2 / ext4 1025+6144"]),
    ("""part /a --fstype=vfat --size=100
        part none --fstype=ext3 --size=100
        part / --fstype=btrfs --size=200 --grow --maxsize=5000""",
     ["1 /a vfat 1+100", "2 - ext3 101+100", "3 / btrfs 201+5000"]),
    ("""clearpart --all --disklabel=gpt
        part / --size=1000""", ["1 / xfs 1+1000"]),
])
def test_part(tmp_path: Path, lines: str, expected: list[str]) -> None:
    assert partitions(planned(tmp_path, lines)) == expected


@pytest.mark.parametrize(("lines", "table"), [
    ("part / --size=1000", "msdos"),
    ("part / --size=1000\npart biosboot --size=1", "gpt"),
    ("part / --size=1000\npart /boot/efi --size=100", "gpt"),
    ("clearpart --all --initlabel --disklabel=gpt\npart / --size=1000", "gpt"),
    ("clearpart --all --disklabel=msdos\npart / --size=1000\npart /boot/efi --size=100", "msdos"),
])
def test_the_kind_of_table(tmp_path: Path, lines: str, table: str) -> None:
    assert planned(tmp_path, lines).table == table


@pytest.mark.parametrize(("line", "expected"), [
    # As Anaconda has it, but for both firmwares at once.
    ("autopart --type=plain",
     ["1 - biosboot 1+1", "2 /boot/efi efi 2+600", "3 /boot xfs 602+1024", "4 - swap 1626+1024",
      "5 / xfs 2650+7589"]),
    ("autopart --type=plain --nohome --noboot --noswap",
     ["1 - biosboot 1+1", "2 /boot/efi efi 2+600", "3 / xfs 602+9637"]),
    ("autopart --noboot --nohome --noswap --nolvm --fstype=ext4\nbootloader --disabled",
     ["1 / ext4 1+10239"]),
    ("autopart", ["1 - biosboot 1+1", "2 /boot/efi efi 2+600", "3 /boot xfs 602+1024",
                  "4 - lvmpv 1626+8613"]),
    ("reqpart\npart / --size=1000 --grow",
     ["1 - biosboot 1+1", "2 /boot/efi efi 2+600", "3 / xfs 602+9637"]),
    ("reqpart --add-boot\npart /boot/efi --size=100\npart / --size=1000 --grow",
     ["1 - biosboot 1+1", "2 /boot/efi efi 2+100", "3 /boot xfs 102+1024", "4 / xfs 1126+9113"]),
    ("clearpart --all --disklabel=msdos\nautopart --type=plain --noswap",
     ["1 /boot/efi efi 1+600", "2 /boot xfs 601+1024", "3 / xfs 1625+8615"]),
])
def test_what_anaconda_chooses(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert partitions(planned(tmp_path, line)) == expected


@pytest.mark.parametrize(("line", "expected_stack", "expected_volumes"), [
    ("autopart", ["lvm cs: /dev/vda4"],
     ["/dev/mapper/cs-root / xfs 7588", "/dev/mapper/cs-swap - swap 1024"]),
    ("autopart --encrypted --passphrase=sesame",
     ["luks luks0: /dev/vda4", "lvm cs: /dev/mapper/luks0"],
     ["/dev/mapper/cs-root / xfs 7572", "/dev/mapper/cs-swap - swap 1024"]),
    ("autopart --type=thinp", ["lvm cs: /dev/vda4"],
     ["/dev/mapper/cs-root / xfs 5848", "/dev/mapper/cs-swap - swap 1024"]),
    ("autopart --type=btrfs", ["btrfs cs: /dev/vda5"], ["/dev/vda5 / btrfs 7589 root"]),
])
def test_schemes_of_autopart(
    tmp_path: Path, line: str, expected_stack: list[str], expected_volumes: list[str],
) -> None:
    layout = planned(tmp_path, line)
    assert (stack(layout), volumes(layout)) == (expected_stack, expected_volumes)


def test_a_large_disk_gets_a_home_and_root_no_more_than_70_gib(tmp_path: Path) -> None:
    layout = planned(tmp_path, "autopart --noswap", disk_mib=500 << 10)
    root, home = layout.root, layout.at("/home")
    assert root.size_bytes == 70 << 30
    assert home is not None and home.size_bytes > 400 << 30
    assert planned(tmp_path, "autopart --nohome", disk_mib=500 << 10).at("/home") is None


@pytest.mark.parametrize(("release", "smallest"), [("centos-stream-9", 200),
                                                   ("centos-stream-10", 500)])
def test_a_small_disk_gets_the_smallest_system_partition_of_its_release(
    tmp_path: Path, release: str, smallest: int,
) -> None:
    layout = planned(tmp_path, "reqpart\npart / --size=1000", disk_mib=1003 + smallest,
                     release=release)
    assert partitions(layout)[1] == f"2 /boot/efi efi 2+{smallest}"


@pytest.mark.parametrize(("arch", "first"), [
    ("aarch64", "1 /boot/efi efi 1+600"), ("ppc64le", "1 - prepboot 1+10"), ("s390x", "1 / xfs")])
def test_other_machines_boot_otherwise(tmp_path: Path, arch: str, first: str) -> None:
    layout = planned(tmp_path, "reqpart\npart / --size=1000 --grow", arch=arch)
    assert partitions(layout)[0].startswith(first)


def test_onpart_takes_what_pre_made(tmp_path: Path) -> None:
    """`parted … mkpart` thrice in %pre; the lines below; what nothing names stays as it is."""
    existing = made_by_pre((1, 1), (2, 200), (202, 1000), name="script's")
    layout = planned(tmp_path, """
        part / --onpart=vda3 --fstype=ext4 --size=5 --grow
        part /boot/efi --onpart=/dev/sda2 --fstype=efi
        part /data --size=300""", existing=existing)
    assert partitions(layout) == [
        "1 - unused 1+1", "2 /boot/efi efi 2+200", "3 / ext4 202+1000", "4 /data xfs 1202+300"]
    assert layout.partitions[1].type_id == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    assert [part.part_name for part in layout.partitions] == ["script's"] * 3 + [None]
    assert len({part.part_uuid for part in layout.partitions}) == 4
    assert "--onpart takes the partition as %pre made it" in str(layout.notes)


def test_a_uuid_that_the_script_named_is_kept(tmp_path: Path) -> None:
    uuid = "C0FFEE00-0000-4000-8000-000000000001"
    layout = planned(tmp_path, "part / --onpart=vda1", existing=made_by_pre((1, 900),
                                                                            part_uuid=uuid))
    assert layout.partitions[0].part_uuid == uuid


def test_new_partitions_go_where_pre_left_room(tmp_path: Path) -> None:
    existing = made_by_pre((1, 100), (501, 100))
    layout = planned(tmp_path, """
        part / --size=1000 --grow
        part /small --fstype=ext4 --size=200""", existing=existing)
    assert partitions(layout) == [
        "1 - unused 1+100", "2 - unused 501+100", "3 /small ext4 101+200", "4 / xfs 601+9638"]


def test_a_bios_boot_partition_of_pre_needs_no_line(tmp_path: Path) -> None:
    """CentOS 8 for Azure makes it in %pre and leaves it to grub2-install."""
    existing = made_by_pre((1, 4), type_id="21686148-6449-6E6F-744E-656564454649")
    layout = planned(tmp_path, "part / --size=1000", existing=existing)
    assert partitions(layout) == ["1 - biosboot 1+4", "2 / xfs 5+1000"]


@pytest.mark.parametrize(("line", "kept", "table"), [
    ("clearpart --none --initlabel", 2, "gpt"), ("clearpart --linux", 2, "gpt"),
    ("zerombr", 2, "gpt"), ("clearpart --all", 0, "gpt"),
    ("clearpart --all --initlabel", 0, "msdos"),
    ("clearpart --all --disklabel=msdos", 0, "msdos"), ("clearpart --list=vda2", 1, "gpt"),
])
def test_clearpart_after_pre(tmp_path: Path, line: str, kept: int, table: str) -> None:
    existing = made_by_pre((1, 100), (101, 100))
    layout = planned(tmp_path, f"{line}\npart / --size=1000", existing=existing)
    assert len(layout.partitions) == kept + 1
    assert layout.table == table


def test_clearpart_all_spares_what_onpart_takes_and_says_so(tmp_path: Path) -> None:
    layout = planned(tmp_path, "clearpart --all --initlabel\npart / --onpart=vda1",
                     existing=made_by_pre((1, 900)))
    assert partitions(layout) == ["1 / xfs 1+900"]
    assert layout.notes[0][0].endswith("test.ks:1") and "they stay" in layout.notes[0][1]


def test_options_of_another_file_system_are_left_out_and_said(tmp_path: Path) -> None:
    """As public kickstarts have it: xfs's options for an ext4. mke2fs would fail on them."""
    line = 'part / --size=6144 --fstype={} --mkfsoptions="-m bigtime=0,inobtcount=0"'
    ext4 = planned(tmp_path, line.format("ext4"))
    assert ext4.root.mkfs_options == ()
    assert ext4.notes == ((str(tmp_path / "test.ks") + ":1", (
        "--mkfsoptions: -m bigtime=0,inobtcount=0 is not for ext4 and left out for /")),)
    xfs = planned(tmp_path, line.format("xfs"))
    assert xfs.root.mkfs_options[-2:] == ("-m", "bigtime=0,inobtcount=0") and not xfs.notes


def test_fsprofile_is_a_usage_type_of_mke2fs(tmp_path: Path) -> None:
    line = "part / --size=1000 --fsprofile=news --fstype="
    assert planned(tmp_path, line + "ext4").root.mkfs_options == ("-T", "news")
    assert "no meaning for xfs" in str(planned(tmp_path, line + "xfs").notes)


@pytest.mark.parametrize(("lines", "says"), [
    ("text", "the kickstart has no partitions"),
    ("part / --size=1000 --ondisk=sdb", "test.ks:1: --ondisk: there is no disk 'sdb'"),
    ("part / --size=1000\nclearpart --all --drives=vdb", "test.ks:2: --drives: there is no disk"),
    ("part / --size=1000\nbootloader --boot-drive=hdc", "test.ks:2: --boot-drive: there is no"),
    ("part / --size=1000\nignoredisk --drives=vda", "test.ks:2: ignoredisk leaves no disk"),
    ("part / --size=1000\nignoredisk --only-use=sdb", "test.ks:2: --only-use: there is no disk"),
    ("part / --size=1000\nclearpart --disklabel=dasd", "test.ks:2: a partition table 'dasd'"),
    ("part / --onpart=vda3", "test.ks:1: --onpart: there is no partition 3 on the disk"),
    ("part / --onpart=sdb1", "test.ks:1: --onpart: there is no partition 'sdb1'"),
    ("part / --onpart=LABEL=root", "name nothing"),
    ("part / --size=1000 --encrypted", "test.ks:1: --encrypted needs a --passphrase"),
    ("part / --size=1000\npart /boot/efi --size=100 --encrypted --passphrase=x",
     "test.ks:2: /boot/efi cannot be encrypted"),
    ("part / --size=1000\npart /etc --size=100 --fstype=ext4", "test.ks:2: /etc must be on the"),
    ("part / --size=1000\npart /usr --size=100 --fstype=vfat", "test.ks:2: /usr cannot be vfat"),
    ("part / --size=1000\npart /x --size=100 --fstype=luks", "test.ks:2: unknown file system"),
    ("part / --size=1000 --mkfsoptions=\"-L 'x\"", "test.ks:1: --mkfsoptions cannot be cut"),
    ("part / --size=1000 --encrypted --passphrase=x\nbootloader",
     "test.ks:1: the boot loader can't read / on /dev/mapper/luks-"),
    ("part / --size=1000\nbootloader --location=partition", "test.ks:2: bootloader --location"),
])
def test_what_cannot_be_names_its_line(tmp_path: Path, lines: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        planned(tmp_path, lines)
    assert says in str(raised.value)


@pytest.mark.parametrize("name", [
    "vda", "sda", "/dev/vda", "nvme0n1", "[sv]da", "disk/by-path/pci-0000:00:04.0",
    "/dev/disk/by-id/virtio-root"])
def test_the_disk_has_many_names(tmp_path: Path, name: str) -> None:
    assert planned(tmp_path, f"part / --size=1000 --ondisk={name}").root.size_bytes == 1000 * MIB


def test_the_passphrase_is_no_part_of_the_layout_as_data(tmp_path: Path) -> None:
    layout = planned(tmp_path, """
        part /boot --size=500
        part / --size=1000 --encrypted --passphrase=sesame --pbkdf=argon2id --pbkdf-memory=65536
        part /home --size=500 --encrypted --luks-version=luks1 --cipher=aes-cbc-essiv:sha256""")
    assert layout.secrets() == ("sesame", "sesame")  # a line without one takes the first
    assert "sesame" not in layout.model_dump_json() + repr(layout)
    home, root = layout.stack
    assert home.kind == "luks" and (home.version, home.cipher) == ("luks1", "aes-cbc-essiv:sha256")
    assert root.kind == "luks" and root.options == ("--pbkdf=argon2id", "--pbkdf-memory=65536")
