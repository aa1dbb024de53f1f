"""The live medium starts from drive and stick by both firmwares; the installation medium's
kernel gets its command line, and its packages are enough for the image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.formats.conftest import Everything
from tests.integration.formats.live_machine import CD, STICK, TWIN, inserted

BOOT_S = 600.0
"""Half a minute on an idle machine with two cores under TCG, ten times that on a crowded one."""

# Firmware and GRUB read the stick over USB. The rehearsal's kernel knows no USB, so the same
# medium is in the machine a second time, as a disk: that is where the root is found.
ON_A_STICK = [*STICK, *TWIN]


@pytest.mark.parametrize(("firmware", "how"), [
    pytest.param("bios", CD, marks=pytest.mark.full), ("uefi", CD),
    pytest.param("bios", ON_A_STICK, marks=pytest.mark.full),
], ids=["bios-cd", "uefi-cd", "bios-stick"])
def test_the_live_medium_starts_to_a_shell(
    everything: Everything, tmp_path: Path, firmware: str, how: list[str],
) -> None:
    medium = everything.file("live-iso")
    with inserted(medium, firmware, tmp_path, how) as machine:
        machine.start("root=live:CDLABEL=CentOS-Stream-10-Live rd.live.image", BOOT_S)
        machine.wait_for(r"login: liveuser \(automatic login\)", BOOT_S)
        assert machine.ask("findmnt -no FSTYPE /") == "overlay"
        assert machine.ask("findmnt -no FSTYPE /run/rootfsbase") == "squashfs"
        assert machine.ask("test -d /sys/firmware/efi && echo uefi || echo bios") == firmware
        assert machine.ask("getenforce") == "Enforcing"
        assert machine.ask("sudo touch /usr/new && stat -c %U /usr/new") == "root"
        assert machine.ask("systemctl --failed --no-legend --plain") == ""
        assert machine.ask("systemctl is-system-running --wait", BOOT_S) == "running"
        device = "/dev/sr0" if how is CD else "/dev/vda"
        assert machine.ask("findmnt -no SOURCE /run/initramfs/live").startswith(device)


@pytest.fixture(scope="module")
def contents(everything: Everything, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is on the installation medium, read without mounting it."""
    folder = tmp_path_factory.mktemp("medium")
    subprocess.run(
        ["xorriso", "-osirrox", "on", "-indev", everything.file("install-iso"),
         "-extract", "/", folder / "contents"], check=True, capture_output=True)
    subprocess.run(["chmod", "-R", "u+w", folder / "contents"], check=True)
    return folder / "contents"


def test_the_installation_medium_starts_its_kernel(
    everything: Everything, tmp_path: Path,
) -> None:
    with inserted(everything.file("install-iso"), "uefi", tmp_path) as machine:
        name = r"hd:LABEL=CentOS-Stream-10-GenericCloud:/"
        machine.start(
            rf"inst\.ks={name}ks\.cfg inst\.repo={name} inst\.stage2={name}", BOOT_S)
        machine.wait_for(r"Welcome to .*dracut|systemd\[1\]: Running in initrd", BOOT_S)


def packages_of(everything: Everything) -> list[str]:
    """Return the packages that the image was made of, as rpm writes them."""
    return sorted(one.nevra for one in everything.record("generic-cloud").packages)


def test_its_kickstart_plans_the_image(everything: Everything, contents: Path) -> None:
    (plan,) = everything.ccis.json(
        "plan", "--kickstart", contents / "ks.cfg", "--release", "rehearsal-10")
    assert sorted(plan["packages"]) == packages_of(everything)


def test_its_repository_has_every_package_of_the_image(
    everything: Everything, contents: Path, tmp_path: Path,
) -> None:
    """dnf installs the kickstart's very packages with nothing but the medium."""
    packages = packages_of(everything)
    answer = subprocess.run(
        ["dnf", "--installroot", tmp_path / "root", "--releasever=10", "--forcearch=x86_64",
         f"--setopt=cachedir={tmp_path / 'cache'}", "--setopt=install_weak_deps=False",
         "--setopt=reposdir=/nowhere", f"--repofrompath=medium,file://{contents}",
         "--repo=medium", "--nogpgcheck", "--assumeno", "install", *packages],
        capture_output=True, text=True)
    assert f"Install  {len(packages)} Packages" in answer.stdout, answer.stderr[-2000:]
    groups = subprocess.run(
        ["dnf", f"--setopt=cachedir={tmp_path / 'cache'}", "--setopt=reposdir=/nowhere",
         f"--repofrompath=medium,file://{contents}", "--repo=medium", "group", "list",
         "--hidden"], capture_output=True, text=True, check=True).stdout
    assert "Core" in groups
