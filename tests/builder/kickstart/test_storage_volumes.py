"""raid, volgroup, logvol, btrfs: the lines, and what the disk becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.booting.bootloader import kernel_options
from builder.booting.grub_probe import abstraction, boot_place, drive
from builder.disk.fstab import fstab, volume_files
from builder.disk.model import Layout
from builder.disk.volume import File
from builder.disk.volumes.btrfs import BtrfsVolume
from builder.disk.volumes.lvm.model import VolumeGroup
from host.errors import InputError
from tests.builder.kickstart.storage_lines import MIB, partitions, planned, stack, volumes

LVM = """
    part /boot --size=500
    part pv.01 --grow --size=1000
    volgroup cs pv.01
"""
LVM_ON_LUKS = """
    part biosboot --size=1
    part /boot --size=1000 --fstype=ext4
    part pv.01 --grow --encrypted --passphrase=sesame
    volgroup cs pv.01
    logvol / --vgname=cs --name=root --size=8000
    logvol swap --vgname=cs --name=swap --size=512
    bootloader --append="quiet"
"""
BTRFS = """
    part biosboot --size=1
    part swap --size=256
    part btrfs.01 --grow --size=1000
    btrfs none --label=sys --data=single btrfs.01
    btrfs / --subvol --name=root LABEL=sys
    btrfs /home --subvol --name=home sys
    bootloader
"""
BOOT_ON_RAID = """
    part biosboot --size=1
    part raid.01 --size=500
    part raid.02 --size=500
    part / --size=1000 --grow
    raid /boot --level=1 --device=boot --fstype=ext4 raid.01 raid.02
    bootloader
"""


def group(layout: Layout) -> VolumeGroup:
    found = layout.stack[-1]
    assert isinstance(found, VolumeGroup)
    return found


@pytest.mark.parametrize(("lines", "expected"), [
    ("logvol / --vgname=cs --name=root --size=8000", {"root": 8000}),
    ("logvol / --vgname=cs --name=root --size=8001", {"root": 8004}),  # whole extents of 4 MiB
    # 9739 MiB are 2434 extents; the header takes one.
    ("logvol / --vgname=cs --name=root --size=100 --grow", {"root": 9736}),
    ("logvol / --vgname=cs --name=root --size=3000 --grow\n"
     "logvol /home --vgname=cs --name=home --size=1000 --grow", {"root": 7300, "home": 2436}),
    ("logvol / --vgname=cs --name=root --size=3000 --grow --maxsize=4000\n"
     "logvol /home --vgname=cs --name=home --size=1000 --grow", {"root": 4000, "home": 5736}),
    ("logvol / --vgname=cs --name=root --percent=50\n"
     "logvol /srv --vgname=cs --name=srv --size=1736", {"root": 4000, "srv": 1736}),
    ("logvol / --vgname=cs --name=root --size=8000\nlogvol swap --vgname=cs --name=swap "
     "--recommended", {"root": 8000, "swap": 1024}),
    # A pool of 4000 MiB has 4 MiB of metadata, and as much in reserve.
    ("logvol none --vgname=cs --name=pool --thinpool --size=4000\n"
     "logvol / --vgname=cs --name=root --thin --poolname=pool --size=3000 --grow\n"
     "logvol /var --vgname=cs --name=var --thin --poolname=pool --size=400",
     {"pool": 4000, "root": 3600, "var": 400}),
])
def test_sizes_of_logical_volumes(tmp_path: Path, lines: str, expected: dict[str, int]) -> None:
    found = group(planned(tmp_path, LVM + lines))
    assert {volume.name: volume.size_mib for volume in found.volumes} == expected


@pytest.mark.parametrize(("line", "extent_mib", "room_mib"), [
    ("volgroup vg pv.01", 4, 9736), ("volgroup vg --pesize=32768 pv.01", 32, 9728),
    ("volgroup vg --reserved-space=1000 pv.01", 4, 8736),
    ("volgroup vg --reserved-percent=50 pv.01", 4, 4868),
])
def test_volgroup(tmp_path: Path, line: str, extent_mib: int, room_mib: int) -> None:
    found = group(planned(tmp_path, f"""
        part /boot --size=500
        part pv.01 --grow --size=1000
        {line}
        logvol / --vgname=vg --name=root --size=1000 --grow"""))
    assert found.extent_mib == extent_mib
    assert found.volumes[0].size_mib == room_mib


def test_hyphens_in_names_are_doubled_in_the_devices(tmp_path: Path) -> None:
    layout = planned(tmp_path, """
        part pv.1 --grow
        volgroup my-vg pv.1
        logvol / --vgname=my-vg --name=the-root --size=1000""")
    assert volumes(layout) == ["/dev/mapper/my--vg-the--root / xfs 1000"]


def test_a_thin_pool_knows_its_metadata(tmp_path: Path) -> None:
    found = group(planned(tmp_path, LVM + """
        logvol none --vgname=cs --name=pool --thinpool --size=4000 --metadatasize=16 --chunksize=128
        logvol / --vgname=cs --name=root --thin --poolname=pool --size=3000"""))
    pool, root = found.volumes
    assert (pool.role, pool.metadata_mib, pool.chunk_kib) == ("thinpool", 16, 128)
    assert (root.role, root.pool, root.size_mib) == ("thin", "pool", 3000)


def test_lvm_on_luks(tmp_path: Path) -> None:
    layout = planned(tmp_path, LVM_ON_LUKS)
    luks = layout.stack[0].uuid
    assert partitions(layout)[2] == "3 - luks 1002+9237"
    assert stack(layout) == ["luks luks0: /dev/vda3", "lvm cs: /dev/mapper/luks0"]
    assert fstab_lines(layout) == [
        "/dev/mapper/cs-root / xfs defaults,x-systemd.device-timeout=0 0 0",
        f"UUID={uuid_of(layout, '/boot')} /boot ext4 defaults 1 2",
        "/dev/mapper/cs-swap none swap defaults,x-systemd.device-timeout=0 0 0",
    ]
    assert volume_files(layout) == [
        File("/etc/crypttab", f"luks-{luks} UUID={luks} none discard\n", mode=0o600)]
    assert kernel_options(layout, "quiet") == (
        f"root=/dev/mapper/cs-root ro resume=/dev/mapper/cs-swap rd.lvm.lv=cs/root "
        f"rd.luks.uuid=luks-{luks} rd.lvm.lv=cs/swap quiet")
    place, folder = boot_place(layout)
    assert (drive(layout, place), folder, abstraction(layout, place)) == ("hd0,gpt2", "/grub2", [])


def test_btrfs_subvolumes(tmp_path: Path) -> None:
    """Enterprise Linux 10 has no btrfs line any more; the grammar of one that had it is taken."""
    layout = planned(tmp_path, BTRFS)
    item = layout.stack[0]
    assert isinstance(item, BtrfsVolume)
    assert (item.subvolumes, item.label, item.data) == (("root", "home"), "sys", "single")
    assert partitions(layout)[2] == "3 - btrfsmember 258+9981"
    assert volumes(layout) == ["/dev/vda3 / btrfs 9981 root", "/dev/vda3 /home btrfs 9981 home"]
    swap = layout.partitions[1].fs_uuid
    assert fstab_lines(layout) == [
        f"UUID={item.uuid} / btrfs subvol=root 0 0",
        f"UUID={item.uuid} /home btrfs subvol=home 0 0", f"UUID={swap} none swap defaults 0 0",
    ]
    assert kernel_options(layout, "") == (
        f"root=UUID={item.uuid} ro rootflags=subvol=root resume=UUID={swap}")
    assert boot_place(layout)[1] == "/root/boot/grub2"  # GRUB starts at the file system's top


def test_boot_on_raid(tmp_path: Path) -> None:
    layout = planned(tmp_path, BOOT_ON_RAID)
    uuid = layout.stack[0].uuid
    assert stack(layout) == ["md boot: /dev/vda2 /dev/vda3"]
    boot = layout.at("/boot")
    assert boot is not None and boot.device == "/dev/md/boot"
    assert 490 * MIB < boot.size_bytes < 500 * MIB
    assert f"UUID={boot.fs_uuid} /boot ext4 defaults 1 2" in fstab_lines(layout)
    assert volume_files(layout) == [File("/etc/mdadm.conf", (
        "# mdadm.conf written out by ccis\nMAILADDR root\nAUTO +imsm +1.x -all\n"
        f"ARRAY /dev/md/boot level=raid1 num-devices=2 UUID={uuid}\n"))]
    assert f"rd.md.uuid={uuid}" in kernel_options(layout, "")
    assert drive(layout, boot) == f"mduuid/{uuid.replace(':', '')}"
    assert abstraction(layout, boot) == ["diskfilter", "mdraid1x"]


@pytest.mark.parametrize(("level", "members", "spares", "members_worth"), [
    (0, 2, 0, 2), (1, 3, 1, 1), (5, 3, 0, 2), (6, 4, 0, 2), (10, 4, 0, 2)])
def test_raid_levels(
    tmp_path: Path, level: int, members: int, spares: int, members_worth: int,
) -> None:
    names = [f"raid.{number}" for number in range(members)]
    lines = "\n".join(f"part {name} --size=1000" for name in names)
    layout = planned(tmp_path, f"""
        clearpart --disklabel=gpt
        part / --size=500
        {lines}
        raid pv.01 --level={level} --device=data --spares={spares} {' '.join(names)}
        volgroup data pv.01
        logvol /srv --vgname=data --name=srv --size=500 --grow""")
    assert stack(layout)[1] == "lvm data: /dev/md/data"
    size_mib = layout.volumes[0].size_bytes // MIB
    assert members_worth * 990 < size_mib < members_worth * 1000


def test_what_holds_the_root_is_last_so_that_it_can_grow(tmp_path: Path) -> None:
    layout = planned(tmp_path, """
        part pv.01 --size=2000
        part /srv --size=500
        volgroup vg pv.01
        logvol / --vgname=vg --name=root --size=1000""")
    assert partitions(layout) == ["1 /srv xfs 1+500", "2 - lvmpv 501+2000"]


@pytest.mark.parametrize(("lines", "says"), [
    ("logvol / --vgname=other --name=root --size=1000", "test.ks:4: there is no volume group"),
    ("logvol / --vgname=cs --name=root --size=20000",
     "test.ks:4: the volume group cs is too small for its volumes"),
    ("logvol / --vgname=cs --name=a --size=10\nlogvol /b --vgname=cs --name=a --size=10",
     "test.ks:5: two volumes of cs are called a"),
    ("logvol / --vgname=cs --name=a --thin --poolname=p --size=10",
     "test.ks:4: there is no thin pool p in cs"),
    ("logvol / --vgname=cs --name=root --size=1000\nbootloader\npart /boot2 --size=500\n"
     "volgroup vg2 pv.01", "test.ks:7: pv.01 is used twice"),
    ("volgroup vg2 pv.02", "test.ks:4: the volume group vg2: there is no pv.02"),
    ("raid / --level=1 --device=md0 pv.01 raid.02", "cannot be made of pv.01"),
    ("part raid.1 --size=500\nraid / --level=1 --device=md0 raid.1",
     "test.ks:5: raid1 needs at least 2 devices"),
    ("part raid.1 --size=500\npart raid.2 --size=500\n"
     "raid /boot/efi --level=0 --device=md0 raid.1 raid.2", "/boot/efi cannot be on a RAID"),
    ("logvol / --vgname=cs --name='a b' --size=1000", "'a b' is no name for LVM"),
    ("btrfs / --subvol --name=root LABEL=nothing", "there is no btrfs volume LABEL=nothing"),
    ("part btrfs.1 --size=500\nbtrfs / --data=raid1 --label=x btrfs.1", "raid1 needs 2 devices"),
])
def test_what_cannot_be_names_its_line(tmp_path: Path, lines: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        planned(tmp_path, LVM.strip() + "\n" + lines)
    assert says in str(raised.value)


def test_boot_on_lvm_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't read / on /dev/mapper/cs-root.*part /boot"):
        planned(tmp_path, """
            part pv.01 --grow
            volgroup cs pv.01
            logvol / --vgname=cs --name=root --size=1000
            bootloader""")


def test_a_member_of_nothing_is_said(tmp_path: Path) -> None:
    layout = planned(tmp_path, "part / --size=1000\npart pv.01 --size=500")
    assert "pv.01 is a part of nothing" in layout.notes[0][1]


def fstab_lines(layout: Layout) -> list[str]:
    return [" ".join(line.split()) for line in fstab(layout).splitlines()
            if line and not line.startswith("#")]


def uuid_of(layout: Layout, point: str) -> str | None:
    found = layout.at(point)
    assert found is not None
    return found.fs_uuid
