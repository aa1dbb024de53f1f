"""host.beneath: a hostile tree is read, changed, walked and removed; nothing leads out of it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.beneath.openat2 import open_inside, walked
from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.errors import InputError


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "secret").write_text("of the host")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Root:
    (tmp_path / "tree").mkdir()
    return Root(tmp_path / "tree")


def test_links_end_inside(root: Root, victim: Path) -> None:
    (root.top / "etc").mkdir()
    (root.top / "out").symlink_to(victim)
    (root.top / "up").symlink_to("../victim")
    (root.top / "jump").symlink_to("/proc/self/root")
    for path in ("/out/secret", "/up/secret", "/../victim/secret", f"/jump{victim}/secret"):
        assert root.stat(path, follow=True) is None
        with pytest.raises(OSError):
            root.read(path)
        with pytest.raises(OSError):
            root.write(path, b"mine")
    assert (victim / "secret").read_text() == "of the host"


def test_a_link_is_resolved_as_the_guest_does(root: Root) -> None:
    root.make_folder("/etc/deep")
    root.write("/etc/deep/file", b"content", 0o640)
    root.link("/name", "/etc/deep/../deep/file")
    assert root.read("/name", follow=True) == b"content"
    assert root.real_path("/name") == "/etc/deep/file"
    with pytest.raises(InputError, match="a link where a regular file belongs"):
        root.read("/name")


def test_writing_replaces_a_link_or_what_it_names(root: Root) -> None:
    root.write("/file", b"old", 0o600)
    root.link("/one", "file")
    root.link("/two", "file")
    root.write("/one", b"new", follow=True)
    assert root.is_link("/one") and root.read("/file") == b"new"
    assert stat.S_IMODE((root.top / "file").stat().st_mode) == 0o600
    root.write("/two", b"own")
    assert not root.is_link("/two") and root.read("/file") == b"new"


def test_writing_keeps_owner_mode_and_attributes(root: Root) -> None:
    root.write("/file", b"old", 0o4750)
    os.chown(root.top / "file", 7, 8)
    (root.top / "file").chmod(0o4750)
    os.setxattr(root.top / "file", "user.note", b"kept")
    root.write("/file", b"new")
    status = (root.top / "file").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (7, 8, 0o4750)
    assert root.attribute("/file", "user.note") == b"kept"
    assert root.names("/") == ["file"]


@pytest.mark.parametrize("kind", ["fifo", "device", "socket", "folder"])
def test_only_regular_files_are_opened(root: Root, kind: str) -> None:
    place = root.top / "odd"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "device":
        os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: no end
    elif kind == "socket":
        os.mknod(place, stat.S_IFSOCK | 0o666)
    else:
        place.mkdir()
    with pytest.raises(InputError, match="where a regular file belongs"):
        root.read("/odd")
    if kind != "folder":
        root.write("/odd", b"a file now")
        assert root.read("/odd") == b"a file now"


def test_reading_has_a_bound(root: Root) -> None:
    with (root.top / "endless").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(InputError, match="too large"):
        root.read("/endless", 1000)


def test_a_loop_of_links_is_an_error_of_the_input(root: Root) -> None:
    root.link("/a", "b")
    root.link("/b", "a")
    with pytest.raises(InputError, match="loop of links"):
        root.stat("/a/x")


def test_missing_folders_are_made_where_links_lead_inside(root: Root, victim: Path) -> None:
    root.link("/var", str(victim))
    with pytest.raises(OSError):
        root.make_folder("/var/lib/x")
    root.link("/opt", "usr/opt")
    root.make_folder("/usr/opt")
    root.make_folder("/opt/a/b", 0o700)
    assert stat.S_IMODE((root.top / "usr/opt/a/b").stat().st_mode) == 0o700
    assert Root(victim).names("/") == ["secret"]


def test_walking_and_removing_what_is_deep_immutable_and_oddly_named(root: Root) -> None:
    here = os.open(root.top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 20, dir_fd=here)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (root.top / "line\nbreak \x1b[2J").write_text("")
    os.mkfifo(root.top / "fifo")
    (root.top / "kept").mkdir()
    (root.top / "kept/file").write_text("")
    subprocess.run(["chattr", "+i", root.top / "kept/file", root.top / "kept"], check=True)
    found = [each.path for each in root.walk()]
    assert len(found) == 3000 + 4 and found == sorted(found, key=lambda path: path.split("/"))
    remove_tree(root.top)
    assert not root.top.exists()


def test_removing_does_not_follow(root: Root, victim: Path) -> None:
    root.link("/out", str(victim))
    root.make_folder("/folder")
    root.link("/folder/out", str(victim))
    root.remove("/out")
    root.remove("/folder")
    root.remove("/nothing")
    assert Root(victim).names("/") == ["secret"] and root.names("/") == []


_NAMES = st.sampled_from(["a", "b", "c", "..", ".", "", "/"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=6).map("/".join).filter(len)


@settings(max_examples=300, deadline=None)
@given(links=st.dictionaries(st.sampled_from(["a", "b", "c", "a/b", "b/c"]), _PATHS, max_size=4),
       path=_PATHS)
def test_without_openat2_the_same_is_found(
    links: dict[str, str], path: str, tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("walk")
    for name in ("a", "b", "c"):
        if name not in links:
            (folder / name).mkdir()
            (folder / name / "c").write_text("")
    for name, target in links.items():
        place = folder / name
        if place.parent.is_dir() and not place.parent.is_symlink() and not place.exists():
            place.symlink_to(target)
    top = os.open(folder, os.O_PATH)
    for flags in (os.O_PATH, os.O_PATH | os.O_NOFOLLOW):
        for with_links in (True, False):
            results = []
            for opener in (open_inside, walked):
                try:
                    found = opener(top, path, flags, links=with_links)
                    results.append((os.fstat(found).st_ino, 0))
                    os.close(found)
                except OSError as error:
                    results.append((0, error.errno))
            assert results[0] == results[1], (links, path, flags, with_links)
    os.close(top)
    remove_tree(folder)


def test_what_goes_away_during_a_walk_does_not_end_it(root: Root) -> None:
    for name in ("a", "b", "c/in", "d/in", "e"):
        root.make_folder(f"/{name}")
    seen = []
    for found in root.walk():
        seen.append(found.path)
        if found.path == "/a":
            root.remove("/b")
        if found.path == "/c":
            root.remove("/c")
    assert seen == ["/a", "/c", "/d", "/d/in", "/e"]
