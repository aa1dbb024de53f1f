"""Media: what is on them, who starts them, and that they are the same each time."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import createrepo_c
import pytest

from builder.formats.archives import squashfs
from builder.formats.media import comps, fat, flat_kickstart, iso, iso_loader, repository
from builder.formats.registry import get
from host.errors import InputError
from host.progress import Silent
from tests import small_repository
from tests.builder.formats.medium_tree import EPOCH, GRUB, about, contents, make_medium_tree, said


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    repository = small_repository.make(tmp_path_factory.mktemp("made"))
    repository.close()
    return sorted(repository.folder.glob("*.rpm"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_medium_tree(tmp_path / "tree")


@pytest.fixture
def medium(tree: Path, packages: list[Path], tmp_path: Path) -> Callable[[], Path]:
    """Make an installation medium of the tree."""
    def make() -> Path:
        folder = tmp_path / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        get("install-iso").make(tree, folder, about(
            packages=packages, comps=[packages[0].parents[1] / "comps.xml"],
            kickstart={"test.ks": "text\n%include parts/lang.ks\n%packages\n@core\n%end\n",
                       "parts/lang.ks": "lang en_US.UTF-8\n"}), Silent())
        assert [file.name for file in folder.iterdir()] == ["install.iso"]
        return folder / "install.iso"
    return make


def test_a_medium_holds_packages_groups_and_kickstart(
    medium: Callable[[], Path], packages: list[Path], tmp_path: Path,
) -> None:
    root = contents(medium(), tmp_path / "contents")
    assert (root / "ks.cfg").read_text() == (
        "text\nlang en_US.UTF-8\n%packages\n@core\n%end\n")
    assert [file.name for file in sorted(root.glob("Packages/*/*.rpm"))] == [
        file.name for file in packages]
    assert (root / ".discinfo").read_text().splitlines() == [
        f"{EPOCH}.000000", "CentOS Stream 10", "x86_64", "ALL"]
    repomd = (root / "repodata/repomd.xml").read_bytes()
    assert f"repodata/repomd.xml = sha256:{hashlib.sha256(repomd).hexdigest()}" in (
        root / ".treeinfo").read_text()
    listed = said("dnf", "repoquery", "--quiet", f"--setopt=cachedir={tmp_path}",
                  f"--repofrompath=medium,file://{root}", "--repo=medium", "--location")
    assert listed.split() == [f"file://{root}/Packages/{file.name[0]}/{file.name}"
                              for file in packages]


def test_the_newest_kernel_starts_with_the_arguments_of_the_tree(
    medium: Callable[[], Path], tmp_path: Path,
) -> None:
    root = contents(medium(), tmp_path / "contents")
    assert (root / "images/pxeboot/vmlinuz").read_text() == "kernel 6.1.0-10"
    assert (root / "images/pxeboot/initrd.img").read_text() == "initramfs 6.1.0-10"
    menu = (root / "boot/grub2/grub.cfg").read_text()
    medium_name = "hd:LABEL=CentOS-Stream-10-Test:"
    assert (f"linux /images/pxeboot/vmlinuz inst.ks={medium_name}/ks.cfg inst.repo={medium_name}/ "
            f"inst.stage2={medium_name}/ console=ttyS0,115200n8\n") in menu
    assert "serial --unit=0 --speed=115200" in menu
    assert "rd.lvm" not in menu


def test_it_starts_by_bios_and_uefi_from_drive_and_stick(
    medium: Callable[[], Path], tmp_path: Path,
) -> None:
    made = medium()
    catalogue = said("xorriso", "-indev", made, "-report_el_torito", "plain")
    assert [line.split()[6] for line in catalogue.splitlines()
            if line.startswith("El Torito boot img :")] == ["BIOS", "UEFI"]
    table = said("sfdisk", "--dump", made)
    assert "label: gpt" in table
    parts = [line for line in table.splitlines() if line.startswith(str(made))]
    systems = ["C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in part for part in parts]
    assert systems[:2] == [False, True], "the third is a gap that xorriso marks as taken"
    start = int(parts[1].split("start=")[1].split(",")[0]) * 512
    listed = said("mdir", "-b", "-/", "-i", f"{made}@@{start}", "::")
    assert set(listed.split()) >= {
        "::/EFI/BOOT/BOOTX64.EFI", "::/EFI/BOOT/grubx64.efi", "::/EFI/BOOT/grub.cfg",
        "::/EFI/centos/grub.cfg"}
    assert "fbx64" not in listed, "shim would start the fallback loader instead of GRUB"
    first = made.read_bytes()[:512]
    assert first[510:] == b"\x55\xaa" and first[:64] == (GRUB / "boot_hybrid.img").read_bytes()[:64]
    assert "LABEL=\"CentOS-Stream-10-Test\"" in said("blkid", "-p", made)


def test_the_same_medium_at_another_time(medium: Callable[[], Path], packages: list[Path]) -> None:
    first = hashlib.sha256(medium().read_bytes()).hexdigest()
    for file in packages:
        os.utime(file, (1, 1))
    assert hashlib.sha256(medium().read_bytes()).hexdigest() == first


def test_a_tree_with_a_disk_is_no_live_image(tree: Path, tmp_path: Path) -> None:
    (tree / "etc/fstab").write_text("# a comment\nUUID=1 / xfs defaults 0 0\n")
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="made for a disk"):
        get("live-iso").make(tree, tmp_path / "out", about(), Silent())


@pytest.mark.parametrize(("missing", "message"), [
    ("boot/vmlinuz-*", "no kernel"), ("boot/initramfs-6.1.0-10.img", "no initramfs"),
    ("usr/lib/grub/i386-pc/boot_hybrid.img boot/efi/EFI/centos/grubx64.efi", "no boot loader"),
])
def test_what_a_medium_needs_of_the_tree_is_named(
    tree: Path, medium: Callable[[], Path], missing: str, message: str,
) -> None:
    for pattern in missing.split():
        for file in tree.glob(pattern):
            file.unlink()
    with pytest.raises(InputError, match=message):
        medium()


def test_one_firmware_is_enough(
    tree: Path, medium: Callable[[], Path],
) -> None:
    (tree / "usr/lib/grub/i386-pc/boot_hybrid.img").unlink()
    catalogue = said("xorriso", "-indev", medium(), "-report_el_torito", "plain")
    assert "UEFI" in catalogue and "BIOS" not in catalogue


@pytest.mark.parametrize(("texts", "result"), [
    ({"a.ks": "one\n%include b.ks\nthree\n", "b.ks": "two"}, "one\ntwo\nthree\n"),
    ({"k/a.ks": "%include p/b.ks", "k/p/b.ks": "%ksappend c.ks", "k/p/c.ks": "x"}, "x\n"),
    ({"a.ks": "%include /tmp/disk\n", "/tmp/disk": "part /"}, "%include /tmp/disk\n"),
])
def test_a_kickstart_becomes_one_file(texts: dict[str, str], result: str) -> None:
    assert flat_kickstart.flat(texts) == result


@pytest.mark.parametrize("texts", [{"a": "%include b"}, {"a": "%include a"}])
def test_a_kickstart_that_cannot_is_an_input_error(texts: dict[str, str]) -> None:
    with pytest.raises(InputError):
        flat_kickstart.flat(texts)


def test_groups_are_joined_and_cut_to_what_is_there(tmp_path: Path) -> None:
    one, other = tmp_path / "one.xml", tmp_path / "other.xml.gz"
    one.write_text(small_repository.comps(
        small_repository.group("core", "bash dnf/optional gone"),
        small_repository.group("desktop", "gnome"),
        small_repository.environment("server", "core desktop")))
    plain = tmp_path / "other.xml"
    plain.write_text(small_repository.comps(small_repository.group("tools", "saw")))
    createrepo_c.compress_file(str(plain), str(other), createrepo_c.GZ_COMPRESSION)
    text = comps.joined([one, other], ["bash", "dnf", "saw"])
    assert "gone" not in text and "desktop" not in text
    assert text.index(">bash<") < text.index(">dnf<") < text.index(">saw<")
    assert "<groupid>core</groupid>" in text


def test_metadata_does_not_know_when_a_package_was_fetched(
    packages: list[Path], tmp_path: Path,
) -> None:
    for folder, time_s in (("one", 1), ("other", 2)):
        for file in packages:
            os.utime(file, (time_s, time_s))
        repository.write(tmp_path / folder, {f"p/{file.name}": file for file in packages},
                         small_repository.COMPS, EPOCH)
    assert said("diff", "-r", tmp_path / "one", tmp_path / "other") == ""


@pytest.mark.parametrize(("flavour", "label"), [
    ("Live", "CentOS-Stream-10-Live"), ("GenericCloud", "CentOS-Stream-10-GenericCloud"),
    ("Container-Minimal", "CentOS-Stream-10-Container-Minim"),
])
def test_a_label_fits_into_iso_9660(flavour: str, label: str) -> None:
    assert iso.label(about(flavour=flavour)) == label
    assert len(label) <= 32


def test_a_title_cannot_break_the_menu() -> None:
    text = iso_loader.menu_text(iso_loader.Menu([("It's }", "quiet")], 5), "L")
    assert "menuentry 'Its }' {" in text


def test_a_fat_image_is_the_same_each_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for image, time_s in (("one", 1), ("other", 1_600_000_000)):
        file.write_text("content")
        os.utime(file, (time_s, time_s))
        fat.make(tmp_path / image, {"EFI/BOOT/A": file, "EFI/b/C": file}, EPOCH, 7, "EFI")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert said("mtype", "-i", tmp_path / "one", "::/EFI/b/C") == "content"


@pytest.mark.parametrize("keep_selinux", [True, False])
def test_a_squashfs_keeps_what_a_tree_is(tmp_path: Path, keep_selinux: bool) -> None:
    root = tmp_path / "root"
    (root / "boot").mkdir(parents=True)
    root.chmod(0o750)
    (root / "boot/left-out").write_text("x")
    ping = root / "ping"
    ping.write_bytes(b"program")
    os.chown(ping, 1000, 1001)
    os.setxattr(ping, "security.selinux", b"system_u:object_r:ping_exec_t:s0\0")
    said("setcap", "cap_net_raw+ep", ping)
    os.utime(ping, (5, 5))
    os.link(ping, root / "twin")
    os.mknod(root / "null", 0o20666, os.makedev(1, 3))
    for image in ("one", "other"):
        os.utime(root / "boot", None)
        squashfs.make(root, tmp_path / image, EPOCH, exclude=["boot/*"], keep_selinux=keep_selinux)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    out = tmp_path / "out"
    said("unsquashfs", "-quiet", "-no-progress", "-dest", out, tmp_path / "one")
    status = (out / "ping").stat()
    assert (status.st_uid, status.st_gid, status.st_nlink) == (1000, 1001, 2)
    assert status.st_mtime == 5 and (out / "boot").stat().st_mtime == EPOCH
    assert out.stat().st_mode & 0o7777 == 0o750
    assert list((out / "boot").iterdir()) == []
    assert (out / "null").stat().st_rdev == os.makedev(1, 3)
    assert ("security.selinux" in os.listxattr(out / "ping")) == keep_selinux
    assert "security.capability" in os.listxattr(out / "ping")
