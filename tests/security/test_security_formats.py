"""What a tree can do to whoever makes artefacts of it: no file of the host gets into one, none is
written, and what can't be read to its end is named instead of waited on."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.formats.archives import squashfs, tar_tree
from builder.formats.containers import incus_files, wsl_files
from builder.formats.machines import tree_kernel
from builder.formats.registry import get
from builder.tree.copies import copies
from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.errors import InputError
from host.progress import Silent
from tests import small_repository
from tests.builder.formats.medium_tree import EPOCH, about, contents, make_medium_tree

SECRET = b"victim's secret"
GRUB = "usr/lib/grub/i386-pc"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    repository = small_repository.make(tmp_path_factory.mktemp("made"))
    repository.close()
    return sorted(repository.folder.glob("*.rpm"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = make_medium_tree(tmp_path / "tree")
    (root / "etc/pki/rpm-gpg/RPM-GPG-KEY-one").write_text("a key")
    program = root / "usr/bin/lsinitrd"
    program.write_text("#!/bin/sh\necho dmsquash-live\n")
    program.chmod(0o755)
    return root


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    file = tmp_path / "victim"
    file.write_bytes(SECRET)
    return file


def made(name: str, tree: Path, packages: list[Path], folder: Path) -> None:
    folder.mkdir()
    get(name).make(tree, folder, about(
        packages=packages, comps=[packages[0].parents[1] / "comps.xml"],
        kickstart={"test.ks": "text\n"}), Silent())


# What each medium takes out of the tree as a file.
PLACES = [
    "boot/efi/EFI/BOOT/BOOTX64.EFI", "boot/efi/EFI/centos/grubx64.efi",
    "boot/efi/EFI/centos/gcdx64.efi", "boot/efi/EFI/centos/mmx64.efi",
    f"{GRUB}/boot_hybrid.img", f"{GRUB}/normal.mod", f"{GRUB}/fs.lst",
    "boot/vmlinuz-6.1.0-10", "boot/initramfs-6.1.0-10.img",
    "etc/pki/rpm-gpg/RPM-GPG-KEY-one",
]
BAD: dict[str, Callable[[Path, Path], None]] = {
    "link": lambda path, victim: path.symlink_to(victim),
    "relative link": lambda path, victim: path.symlink_to(os.path.relpath(victim, path.parent)),
    "fifo": lambda path, victim: os.mkfifo(path),
    "device": lambda path, victim: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "socket": lambda path, victim: os.mknod(path, stat.S_IFSOCK | 0o666),
    "folder": lambda path, victim: path.mkdir(),
    "endless": lambda path, victim: os.truncate(
        os.open(path, os.O_CREAT | os.O_WRONLY), (1 << 43)),
}


# Each kind once for every way to copy; the two that leak or hang, everywhere.
@pytest.mark.parametrize(("place", "kind"), [
    (place, kind) for place in PLACES for kind in BAD
    if kind in ("link", "fifo") or place in (PLACES[0], PLACES[5], PLACES[-1])])
def test_what_goes_onto_a_medium_is_a_regular_file_of_the_tree(
    place: str, kind: str, tree: Path, victim: Path, packages: list[Path], tmp_path: Path,
) -> None:
    path = tree / place
    path.unlink(missing_ok=True)
    BAD[kind](path, victim)
    if "vmlinuz" in place and "link" in kind:  # then the other kernel is the newest
        made("install-iso", tree, packages, tmp_path / "out")
        assert SECRET not in (tmp_path / "out/install.iso").read_bytes()
        return
    with pytest.raises(InputError, match=path.name):
        made("install-iso", tree, packages, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("place", PLACES)
def test_links_within_the_tree_are_followed(
    place: str, tree: Path, packages: list[Path], tmp_path: Path,
) -> None:
    path = tree / place
    moved = tree / "usr/share/moved"
    moved.parent.mkdir(exist_ok=True)
    moved.write_bytes(path.read_bytes() if path.is_file() else b"more")
    path.unlink(missing_ok=True)
    path.symlink_to("/usr/share/moved")
    made("install-iso", tree, packages, tmp_path / "out")
    contents(tmp_path / "out/install.iso", tmp_path / "contents")


@pytest.mark.parametrize("folder", ["boot/efi/EFI", "boot/efi", "boot", "etc/pki", GRUB])
def test_a_folder_on_the_way_may_be_a_link_to_the_host(
    folder: str, tree: Path, packages: list[Path], tmp_path: Path,
) -> None:
    moved = tmp_path / "moved"
    (tree / folder).rename(moved)
    for file in (each for each in moved.rglob("*") if each.is_file()):
        file.write_bytes(SECRET)
    (tree / folder).symlink_to(moved)
    try:
        made("install-iso", tree, packages, tmp_path / "out")
    except InputError:
        assert folder == "boot"
        return
    assert SECRET not in (tmp_path / "out/install.iso").read_bytes()


@pytest.mark.parametrize("name", [
    "RPM-GPG-KEY-x\nevil=victim", "RPM-GPG-KEY-x=victim", "RPM-GPG-KEY-\x1b[2J", "RPM-GPG-KEY-*",
    os.fsdecode(b"RPM-GPG-KEY-latin\xe9"),
])
def test_a_name_is_no_line_of_a_list_of_files(
    name: str, tree: Path, victim: Path, packages: list[Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """xorriso reads lines `on the medium=on the host`, the latter from where we stand."""
    monkeypatch.chdir(tmp_path)
    for place in ("etc/pki/rpm-gpg", GRUB):
        (tree / place / f"{name}{'.mod' if place == GRUB else ''}").write_text("content")
    vendor = tree / "boot/efi/EFI" / name
    vendor.mkdir()
    (vendor / "gcdx64.efi").write_text("another grub")
    made("install-iso", tree, packages, tmp_path / "out")
    medium = contents(tmp_path / "out/install.iso", tmp_path / "contents")
    assert not (medium / "evil").exists()
    assert (medium / "RPM-GPG-KEY-one").read_text() == "a key"
    assert SECRET not in (tmp_path / "out/install.iso").read_bytes()


@pytest.mark.parametrize("file", ["uefi.cfg", "grub.cfg", "eltorito.img", "efiboot.img", "grafts"])
def test_the_tree_s_grub_cannot_have_us_write_or_read_elsewhere(
    file: str, tree: Path, victim: Path, packages: list[Path], tmp_path: Path,
) -> None:
    """It writes into a folder of the host's, where it may put links as well."""
    program = tree / "usr/bin/grub2-mkimage"
    program.rename(tree / "usr/bin/real")
    program.write_text(f"#!/bin/sh\nln -s '{victim}' /run/loader/{file}\n"
                       + ("exit 0" if file == "eltorito.img" else 'exec /usr/bin/real "$@"\n'))
    program.chmod(0o755)
    (tree / "usr/bin/ln").write_bytes(Path("/bin/ln").read_bytes())
    (tree / "usr/bin/ln").chmod(0o755)
    for library in ("libselinux.so.1", "libpcre2-8.so.0"):
        for found in Path("/lib/x86_64-linux-gnu").glob(library):
            target = tree / "lib/x86_64-linux-gnu" / library
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(found.read_bytes())
    if file == "eltorito.img":
        with pytest.raises(InputError, match=r"eltorito\.img"):
            made("install-iso", tree, packages, tmp_path / "out")
    else:
        made("install-iso", tree, packages, tmp_path / "out")
        assert SECRET not in (tmp_path / "out/install.iso").read_bytes()
    assert victim.read_bytes() == SECRET


@pytest.mark.parametrize("timeout", ["'\n2'", "²", "9" * 5000, "-1", "''"])
def test_settings_of_the_tree_are_no_numbers_to_rely_on(
    timeout: str, tree: Path, tmp_path: Path,
) -> None:
    (tree / "etc/default/grub").write_text(f"GRUB_TIMEOUT={timeout}\n")
    assert tree_kernel.of(tree, EPOCH, tmp_path / "kernel").timeout_s == 5


@pytest.mark.parametrize("version", ["²", "7.0\n8", "9" * 200])
def test_any_folder_may_be_called_a_kernel_s(version: str, tree: Path, tmp_path: Path) -> None:
    (tree / "usr/lib/modules" / version).mkdir()
    (tree / f"boot/vmlinuz-{version}").write_text("odd")
    (tree / f"boot/initramfs-{version}.img").write_text("odd")
    assert tree_kernel.of(tree, EPOCH, tmp_path / "kernel").version


@pytest.mark.parametrize("place", ["etc/fstab", "boot/config-6.1.0-10",
                                   "usr/lib/modules/6.1.0-10/config"])
@pytest.mark.parametrize("kind", ["fifo", "device", "socket", "endless"])
def test_a_live_medium_waits_for_no_setting(
    place: str, kind: str, tree: Path, victim: Path, packages: list[Path], tmp_path: Path,
) -> None:
    BAD[kind](tree / place, victim)
    with pytest.raises(InputError, match=Path(place).name):
        made("live-iso", tree, packages, tmp_path / "out")


def test_settings_of_the_host_are_not_the_tree_s(
    tree: Path, victim: Path, packages: list[Path], tmp_path: Path,
) -> None:
    victim.write_text("/dev/sda1 / ext4 defaults 0 0\nCONFIG_SQUASHFS_ZSTD=y\n")
    (tree / "etc/fstab").symlink_to(victim)
    (tree / "boot/config-6.1.0-10").symlink_to(victim)
    (tree / "usr/lib/modules/6.1.0-10/config").write_bytes(b"latin\xe9\n")
    made("live-iso", tree, packages, tmp_path / "out")
    medium = contents(tmp_path / "out/live.iso", tmp_path / "contents")
    assert b"xz" in os.popen(f"unsquashfs -s '{medium}/LiveOS/squashfs.img'").read().encode()


@pytest.mark.parametrize("kind", BAD)
def test_containers_read_hosts_of_the_tree_alone(kind: str, tmp_path: Path, victim: Path) -> None:
    (tmp_path / "etc").mkdir()
    BAD[kind](tmp_path / "etc/hosts", victim)
    if kind == "endless":
        with pytest.raises(InputError, match="hosts"):
            incus_files.of_tree(about(), "squashfs", tmp_path)
        return
    files = incus_files.of_tree(about(), "squashfs", tmp_path)
    assert SECRET.decode() not in files["templates/hosts.tpl"]


@pytest.mark.parametrize("text", ['{% include "/etc/shadow" %}', "{{ config }}", "{# x #}"])
def test_hosts_of_the_tree_is_no_template(text: str, tmp_path: Path) -> None:
    """What fills it in is a daemon of the consumer's, as root."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_text(f"127.0.0.1 localhost\n{text}\n")
    files = incus_files.of_tree(about(), "squashfs", tmp_path)
    assert text not in files["templates/hosts.tpl"]


def test_what_the_host_has_says_nothing_about_the_tree(tmp_path: Path) -> None:
    host = tmp_path / "host"
    (host / "bin").mkdir(parents=True)
    (host / "bin/useradd").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/usr").symlink_to(host)
    assert "default=root" in wsl_files.files(tmp_path / "tree", about())["./etc/wsl.conf"].content


def test_deep_trees_are_packed_whole_or_named(
    tmp_path: Path, request: pytest.FixtureRequest,
) -> None:
    """mksquashfs leaves out what it can't name, says so and ends well; tar packs any depth."""
    tree = tmp_path / "tree"
    request.addfinalizer(lambda: remove_tree(tree))  # pytest's own way out is recursive
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("n" * 20, dir_fd=here)
        below = os.open("n" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(InputError, match="too long for mksquashfs"):
        squashfs.make(tree, tmp_path / "plain.squashfs", EPOCH)
    squashfs.make(tree, tmp_path / "plain.squashfs", EPOCH, keep_selinux=False)
    tar_tree.write_file(tree, tmp_path / "tree.tar", None, EPOCH, progress=Silent(), step="x")
    assert (tmp_path / "tree.tar").stat().st_size > 300 * 512


def test_many_names_of_one_file_count_each_time(tmp_path: Path) -> None:
    """Copies of links to one large file would fill the host's disk."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/0").write_bytes(bytes(1000))
    for number in range(1, 20):
        (tmp_path / f"tree/{number}").hardlink_to(tmp_path / "tree/0")
    with pytest.raises(InputError, match="too large"):
        copies(Root(tmp_path / "tree"), {str(number): f"/{number}" for number in range(20)},
               tmp_path / "out", 10_000)
