"""What a tree can do to whoever writes a disk from it: nothing outside is read, written or waited
on, and what a file system can't hold is a named error."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.disk.embed import tree_patches
from builder.disk.engines import direct
from builder.disk.engines.guestfs import check_fat, check_mountpoints
from builder.disk.layout import Layout, plan_layout
from builder.disk.views import view
from host.beneath.remove import remove_tree
from host.errors import InputError
from host.mounts import private_mounts
from host.progress import Silent
from tests.builder.disk.disk_trees import (
    EPOCH,
    MIB,
    mounted_read_only,
    partition_at,
)
from tests.builder.disk.disk_trees import (
    request as partition,
)

SECRET = b"victim's secret"
GRUB = "/boot/grub2/i386-pc"


@pytest.fixture(autouse=True)
def _alone() -> None:
    private_mounts()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of the host's that links of a tree name."""
    folder = tmp_path / "victim"
    (folder / "secret").mkdir(parents=True)
    (folder / "secret/file").write_bytes(SECRET)
    (folder / "file").write_bytes(SECRET)
    return folder


def layout_with(point: str, fstype: str) -> Layout:
    size_mib = {"xfs": 300, "btrfs": 300, "efi": 60}.get(fstype, 40)
    parts = [partition("/", 300, fstype="ext4")]
    if point != "/":
        parts.append(partition(point, size_mib, fstype=fstype))
    else:
        parts = [partition("/", size_mib, fstype=fstype)]
    return plan_layout(parts, 700 * MIB, "gpt", "seed")


def written(layout: Layout, tree: Path, image: Path) -> None:
    direct.write(layout, tree, [], image, EPOCH, Silent())


# Which part of /a/b/c is a link, and whether what it names is there.
LINKS = {
    "the first part": ("a", "", "b/c"), "one in the middle": ("a/b", "", "c"),
    "the last part": ("a/b/c", "", ""),
}


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("where", LINKS)
@pytest.mark.parametrize("inside", [True, False], ids=["into the tree", "to the host"])
def test_a_link_on_the_way_to_a_mount_point_is_named(
    where: str, absolute: bool, inside: bool, tmp_path: Path, victim: Path,
) -> None:
    link, _, rest = LINKS[where]
    tree = tmp_path / "tree"
    goal = tree / "real" if inside else victim
    (goal / rest).mkdir(parents=True, exist_ok=True)
    (tree / link).parent.mkdir(parents=True, exist_ok=True)
    (tree / link).symlink_to(goal if absolute else os.path.relpath(goal, (tree / link).parent))
    with pytest.raises(InputError, match="mount point /a/b/c") as caught:
        check_mountpoints(tree, ["/", "/a/b/c"])
    assert f"/{link} is a link" in str(caught.value)
    for point, inner in (("/a/b/c", []), ("/", ["/a/b/c"])):
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        with (pytest.raises(InputError, match="mount point /a/b/c"),
              view(tree, point, inner, scratch)):
            pass
        assert list(scratch.iterdir()) == []
    image = tmp_path / "disk.raw"
    with pytest.raises(InputError, match="mount point /a/b/c"):
        written(layout_with("/a/b/c", "ext4"), tree, image)
    assert not image.exists()


@pytest.mark.parametrize("kind", ["file", "fifo", "nothing"])
def test_a_mount_point_that_is_no_folder_is_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    point = tmp_path / "tree/data"
    {"file": point.touch, "fifo": lambda: os.mkfifo(point), "nothing": lambda: None}[kind]()
    with pytest.raises(InputError, match="mount point /data"):
        check_mountpoints(tmp_path / "tree", ["/data"])


def test_a_view_leads_nowhere(tmp_path: Path, victim: Path) -> None:
    """No program that copies a view can follow a link, open a device or write, whatever it is."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "out").symlink_to(victim / "file")
    (tree / "plain").write_text("plain")
    os.mknod(tree / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    (tmp_path / "scratch").mkdir()
    with view(tree, "/", [], tmp_path / "scratch") as shown:
        assert (shown / "plain").read_text() == "plain"
        assert (shown / "out").readlink() == victim / "file"
        for attempt in (lambda: (shown / "out").read_bytes(), (shown / "new").touch,
                        lambda: os.open(shown / "device", os.O_RDONLY)):
            with pytest.raises(OSError):
                attempt()


# Names that programs take for options, patterns, line breaks, escapes, or nothing at all.
ODD_NAMES = [
    b"-rf", b"--help", b"line\nbreak", b"return\rhere", b"\x1b[31mred", b"latin\xe9", b'quo"te',
    b'""', b"\nwrite x y", b" blank ", b"star*", b"[a]", b"back\\slash", b"<2>", b"#hash",
]


@pytest.mark.parametrize("fstype", ["ext4", "ext2", "xfs", "btrfs"])
def test_odd_names_are_copied_as_they_are(fstype: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ODD_NAMES:
        folder = tree / os.fsdecode(b"in " + name)
        folder.mkdir(parents=True)
        for number in range(3):
            path = folder / os.fsdecode(b"%d " % number + name)
            path.write_bytes(name)
            os.setxattr(path, "user.b", b"2")
            os.setxattr(path, "user.a", b"1")
            os.utime(path, (EPOCH - 5, EPOCH - 9))
    layout = layout_with("/", fstype)
    written(layout, tree, tmp_path / "disk.raw")
    with mounted_read_only(tmp_path / "disk.raw", partition_at(layout, "/"),
                           tmp_path / "root") as root:
        for name in ODD_NAMES:
            for number in range(3):
                path = root / os.fsdecode(b"in " + name) / os.fsdecode(b"%d " % number + name)
                found = path.stat()
                assert found.st_mtime == EPOCH - 9
                assert os.getxattr(path, "user.a") == b"1"
                assert path.read_bytes() == name
                if fstype.startswith("ext"):  # what corrections are for, line break or not
                    assert (found.st_atime, found.st_ctime) == (EPOCH - 9, EPOCH - 9)


@pytest.mark.parametrize("on", ["a file", "the root folder"])
def test_a_name_of_an_attribute_is_no_command_of_debugfs(
    on: str, tmp_path: Path, victim: Path,
) -> None:
    """debugfs reads and writes the host's files when told to, by a line of its own."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("content")
    place = tree / "file" if on == "a file" else tree
    commands = f"write {victim}/file stolen", f"dump file {victim}/made"
    for command in commands:
        os.setxattr(place, f"user.a\n{command}\n", b"1")
        os.setxattr(place, f"user.b\r{command}\r", b"2")
    layout = layout_with("/", "ext4")
    written(layout, tree, tmp_path / "disk.raw")
    with mounted_read_only(tmp_path / "disk.raw", partition_at(layout, "/"),
                           tmp_path / "root") as root:
        assert {path.name for path in root.iterdir()} == {"file", "lost+found"}
        inside = root / "file" if on == "a file" else root
        assert os.getxattr(inside, f"user.a\n{commands[0]}\n") == b"1"
    assert {path.name for path in victim.iterdir()} == {"file", "secret"}


def deep(top: Path, depth: int, name: str = "d") -> None:
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


@pytest.mark.parametrize(("fstype", "depth", "name", "fits"), [
    ("ext4", 300, "d", True), ("ext4", 1019, "d", False), ("ext4", 1500, "d", False),
    ("ext4", 7, "n" * 255, True), ("ext4", 8, "n" * 255, False), ("ext4", 20, "n\n", True),
    ("xfs", 1500, "d", True), ("xfs", 17, "n" * 250, False), ("vfat", 600, "d", False),
])
def test_deep_trees_fit_or_are_named(
    fstype: str, depth: int, name: str, fits: bool, tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Path lengths at which mke2fs 1.47.0 writes behind its buffer, and cp gives up."""
    request.addfinalizer(lambda: remove_tree(tree))  # pytest's own way out is recursive
    tree = tmp_path / "tree"
    point = "/data" if fstype == "vfat" else "/"
    if point == "/data":
        tree.mkdir()
    deep(tree / point.lstrip("/"), depth, name)
    layout = layout_with(point, fstype)
    if not fits:
        with pytest.raises(InputError, match=r"too long|can't hold"):
            written(layout, tree, tmp_path / "disk.raw")
        return
    written(layout, tree, tmp_path / "disk.raw")
    with mounted_read_only(tmp_path / "disk.raw", partition_at(layout, "/"),
                           tmp_path / "root") as root:
        leaf = subprocess.run(["find", root, "-name", "leaf"], capture_output=True, check=True)
        assert leaf.stdout.count(b"leaf") == 1


@pytest.mark.parametrize("make", [
    lambda path: path.symlink_to("/etc"), lambda path: path.write_text("x"), os.mkfifo,
])
def test_what_stands_where_ext_has_its_own_folder_is_named(
    make: Callable[[Path], None], tmp_path: Path,
) -> None:
    (tmp_path / "tree").mkdir()
    make(tmp_path / "tree/lost+found")
    with pytest.raises(InputError, match=r"lost\+found"):
        written(layout_with("/", "ext4"), tmp_path / "tree", tmp_path / "disk.raw")


def link_to(victim: Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(victim / "file")


BAD_ON_FAT: dict[str, tuple[bytes, str]] = {
    "line break": (b"a\nb", "name has"), "escape": (b"\x1b[2J", "name has"),
    "right to left": ("a\u202eb".encode(), "name has"), "not UTF-8": (b"latin\xe9", "not UTF-8"),
    "colon": (b"a:b", "name has"), "star": (b"*", "name has"), "quote": (b'"', "name has"),
    "backslash": (b"a\\b", "name has"), "question mark": (b"?", "name has"),
    "full stop": (b"a.", "ends with"), "blank": (b"a ", "ends with"), "device": (b"con", "DOS"),
    "port": (b"LPT1", "DOS"), "case": (b"PLAIN", "case alone"),
}


@pytest.mark.parametrize("what", BAD_ON_FAT)
@pytest.mark.parametrize("folder", [True, False])
def test_a_name_that_a_fat_cannot_hold_is_named(what: str, folder: bool, tmp_path: Path) -> None:
    name, why = BAD_ON_FAT[what]
    efi = tmp_path / "tree/boot/efi"
    efi.mkdir(parents=True)
    (efi / "plain").touch()
    path = Path(os.fsdecode(os.fsencode(efi) + b"/" + name))
    path.mkdir() if folder else path.touch()
    with pytest.raises(InputError, match="a FAT file system can't hold this") as caught:
        written(layout_with("/boot/efi", "efi"), tmp_path / "tree", tmp_path / "disk.raw")
    assert why in (caught.value.why or "")
    with pytest.raises(InputError, match="a FAT file system can't hold this"):
        check_fat(efi)  # as the other engine does


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "device", "socket-like"])
def test_only_files_and_folders_get_onto_a_fat(kind: str, tmp_path: Path, victim: Path) -> None:
    efi = tmp_path / "tree/boot/efi/EFI/BOOT"
    efi.mkdir(parents=True)
    path = efi / "BOOTX64.EFI"
    {
        "link": lambda: path.symlink_to(victim / "file"),
        "dangling": lambda: path.symlink_to("/nowhere"),
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: os.mknod(path, stat.S_IFBLK, os.makedev(7, 0)),
        "socket-like": lambda: os.mknod(path, stat.S_IFSOCK),
    }[kind]()
    with pytest.raises(InputError, match="a FAT file system can't hold this"):
        written(layout_with("/boot/efi", "efi"), tmp_path / "tree", tmp_path / "disk.raw")


def test_names_that_a_fat_can_hold_but_a_program_could_take_wrongly(tmp_path: Path) -> None:
    efi = tmp_path / "tree/boot/efi"
    names = ["-rf", "-", "--help", "[a]", "a;b", "späße", "a~1.txt", "%p"]
    for folder in ("", "-folder", "-folder/-i"):
        (efi / folder).mkdir(parents=True)
        for name in names:
            (efi / folder / name).write_text(f"{folder} {name}")
    image = tmp_path / "disk.raw"
    layout = layout_with("/boot/efi", "efi")
    written(layout, tmp_path / "tree", image)
    drive = f"{image}@@{partition_at(layout, '/boot/efi').start_bytes}"
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    found = subprocess.run(["mcopy", "-s", "-i", drive, "::/", tmp_path / "back"],
                           env=environment, check=True, capture_output=True)
    assert found.stderr == b""
    back = {str(path.relative_to(tmp_path / "back")).lower(): path.read_text()
            for path in (tmp_path / "back").rglob("*") if path.is_file()}
    assert back == {f"{folder}/{name}".lstrip("/"): f"{folder} {name}"
                    for folder in ("", "-folder", "-folder/-i") for name in names}


@pytest.mark.parametrize("which", ["boot.img", "core.img"])
@pytest.mark.parametrize("kind", ["link", "zero", "fifo", "device", "folder", "long", "missing"])
def test_parts_of_grub_are_regular_files_of_their_size(
    which: str, kind: str, tmp_path: Path, victim: Path,
) -> None:
    """(A missing core image means that the tree has no GRUB for a BIOS.)"""
    folder = tmp_path / f"tree{GRUB}"
    folder.mkdir(parents=True)
    for name in ("boot.img", "core.img"):
        (folder / name).write_bytes(bytes(510) + b"\x55\xaa")
    path = folder / which
    path.unlink()
    {
        "link": lambda: path.symlink_to(victim / "file"),
        "zero": lambda: path.symlink_to("/dev/zero"),
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
        "folder": path.mkdir,
        "long": lambda: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40),
        "missing": lambda: None,
    }[kind]()
    layout = layout_with("/data", "ext4")
    if (which, kind) == ("core.img", "missing"):
        assert tree_patches(layout, tmp_path / "tree", GRUB) == []
        return
    with pytest.raises(InputError, match=which.replace(".", r"\.")):
        tree_patches(layout, tmp_path / "tree", GRUB)


def test_the_folder_of_grub_may_be_a_link_of_the_tree_but_leads_nowhere_else(
    tmp_path: Path, victim: Path,
) -> None:
    for name in ("boot.img", "core.img"):
        (victim / name).write_bytes(bytes(510) + b"\x55\xaa")
    (tmp_path / "tree/boot/grub2").mkdir(parents=True)
    (tmp_path / f"tree{GRUB}").symlink_to(victim)
    assert tree_patches(layout_with("/data", "ext4"), tmp_path / "tree", GRUB) == []
