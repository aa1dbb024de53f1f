"""What is installed by rule: kickstart lines and a disk beside the packages that they add."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.kickstart.layout import layout_of
from builder.kickstart.read import read
from builder.packages.requirements import requirements
from images.release import Release, Repository, SigningKey

RELEASE = Release(
    name="stream-10", title="Stream 10", distribution="Stream", version="10", dialect="RHEL10",
    public_path="10", rpm_database="/usr/lib/sysimage/rpm", architectures=["x86_64"],
    key=SigningKey(url="file:///key"), repositories=[Repository(id="a", mirrors=["http://a/"])],
)
GPT = "clearpart --all --initlabel --disklabel=gpt\n"
ROOT = "part / --fstype=ext4 --size=1024\n"
NO_NTP = "timezone UTC --utc\ntimesource --ntp-disable\n"


def added(folder: Path, lines: str, arch: str = "x86_64") -> str:
    path = folder / "test.ks"
    path.write_text(lines)
    kickstart = read(path, RELEASE.dialect)
    layout = layout_of(kickstart, 8 << 30, RELEASE, "seed", arch=arch)
    return " ".join(one.names[0] for one in requirements(kickstart, layout, arch))


@pytest.mark.parametrize(("lines", "packages"), [
    (f"{GPT}{ROOT}{NO_NTP}", "kernel e2fsprogs"),
    (f"{GPT}part biosboot --fstype=biosboot --size=1\n{ROOT}{NO_NTP}",
     "kernel grub2-pc grub2-tools e2fsprogs"),
    (f"{GPT}part /boot/efi --fstype=efi --size=100\n{ROOT}{NO_NTP}",
     "kernel grub2-efi-x64 shim-x64 efibootmgr grub2-tools grub2-tools-extra grubby dosfstools "
     "e2fsprogs"),
    (f"clearpart --all --initlabel --disklabel=msdos\n{ROOT}{NO_NTP}",
     "kernel grub2-pc grub2-tools e2fsprogs"),
    (f"{GPT}part biosboot --fstype=biosboot --size=1\n{ROOT}{NO_NTP}bootloader --disabled\n",
     "kernel e2fsprogs"),
    (f"{GPT}part biosboot --fstype=biosboot --size=1\n{ROOT}{NO_NTP}"
     "%packages\n-kernel\n-grub\\*\n-grub2*\n-e2fsprogs\n%end\n", ""),
    (f"{GPT}part biosboot --fstype=biosboot --size=1\n{ROOT}{NO_NTP}"
     "%packages\nkernel\ngrub2-pc\n%end\n", "grub2-tools e2fsprogs"),
])
def test_kernel_and_boot_loader_by_the_disk(tmp_path: Path, lines: str, packages: str) -> None:
    assert added(tmp_path, lines) == packages


@pytest.mark.parametrize(("lines", "packages"), [
    ("part / --fstype=xfs --size=1024\npart swap --size=256\n", "util-linux xfsprogs"),
    ("part / --fstype=btrfs --size=1024\n", "btrfs-progs"),
    ("part /boot --fstype=ext4 --size=512\npart pv.1 --size=4096\nvolgroup cs pv.1\n"
     "logvol / --vgname=cs --name=root --size=1024 --fstype=xfs\n", "e2fsprogs xfsprogs lvm2"),
    ("part /boot --fstype=ext4 --size=512\n"
     "part / --fstype=ext4 --size=1024 --encrypted --passphrase=secret\n", "e2fsprogs cryptsetup"),
    ("part raid.1 --size=1024\npart raid.2 --size=1024\n"
     "raid / --fstype=ext4 --level=1 --device=root raid.1 raid.2\n", "e2fsprogs mdadm"),
])
def test_tools_of_what_is_on_the_disk(tmp_path: Path, lines: str, packages: str) -> None:
    assert added(tmp_path, f"{GPT}{lines}{NO_NTP}%packages\n-kernel\n%end\n") == packages


@pytest.mark.parametrize(("lines", "packages"), [
    ("timezone UTC --utc\n", "chrony"),
    ("", "chrony"),
    ("timezone --utc --nontp UTC\n", ""),
    (f"{NO_NTP}lang en_US.UTF-8\n", "langpacks-en_US"),
    (f"{NO_NTP}lang de_DE.UTF-8 --addsupport=fr_FR.UTF-8\n", "langpacks-de_DE langpacks-fr_FR"),
    (f"{NO_NTP}lang C.UTF-8\n", ""),
    (f"{NO_NTP}firewall --enabled --service=ssh\n", "firewalld"),
    (f"{NO_NTP}firewall --disabled\n", "firewalld"),
    (f"{NO_NTP}auth --enableshadow --passalgo=sha512\n", "authselect-compat"),
    (f"{NO_NTP}firewall --disabled\n%packages\n-firewalld\n%end\n", ""),
    (f"{NO_NTP}authselect select minimal\n", "authselect"),
    (f"{NO_NTP}%addon com_redhat_kdump --enable --reserve-mb=auto\n%end\n", "kdump-utils"),
    (f"{NO_NTP}%addon com_redhat_kdump --disable\n%end\n", ""),
])
def test_packages_of_commands(tmp_path: Path, lines: str, packages: str) -> None:
    assert added(tmp_path, f"{GPT}{ROOT}{lines}%packages\n-kernel\n-e2fsprogs\n%end\n") == packages


def test_a_requirement_knows_the_line_that_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "test.ks"
    path.write_text(f"{GPT}{ROOT}lang cs_CZ.UTF-8\n")
    kickstart = read(path, RELEASE.dialect)
    found = requirements(kickstart, layout_of(kickstart, 8 << 30, RELEASE, "seed"), "x86_64")
    one = next(each for each in found if "langpacks-cs" in each.names)
    assert one.names == ("langpacks-cs_CZ", "langpacks-cs")
    assert (one.where, one.reason, one.if_there) == (f"{path}:3", "lang cs_CZ.UTF-8", True)
