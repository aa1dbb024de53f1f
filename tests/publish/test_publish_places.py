"""Where a tree may lie, who may read it, and that nothing half-made is ever below its root."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host.errors import HostError, InputError
from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish
from tests.publish.servers import rsync_daemon


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def closed(root: Path) -> list[str]:
    """Return what somebody else can't read."""
    wrong = []
    for path in [root, *root.rglob("*")]:
        needed = 0o755 if path.is_dir() else 0o644
        if stat.S_IMODE(path.stat().st_mode) & needed != needed:
            wrong.append(str(path))
    return wrong


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o777])
def test_the_tree_is_for_all_whatever_the_umask(
    mask: int, root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    builds = make_build("20261120.0"), make_build("20261121.0")
    with umask(mask):
        for build in builds:
            put(build)
            assert closed(root) == []


def test_what_was_closed_is_opened_again(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build("20261120.0"))
    for path in root.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    put(make_build("20261121.0"))
    assert closed(root) == []


def test_nothing_half_made_is_below_the_root(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    """Watched from the first moment to the last of a publication of many MB."""
    put(make_build("20261120.0"))
    build = make_build("20261121.0", {"qcow2": os.urandom(24 << 20)})
    expected = {path.name for path in (root / IMAGES).parent.iterdir()}
    done, seen = threading.Event(), set()

    def watch() -> None:
        while not done.is_set():
            seen.update(path.name for folder in (root, (root / IMAGES).parent)
                        for path in folder.iterdir())

    watcher = threading.Thread(target=watch)
    watcher.start()
    put(build)
    done.set()
    watcher.join()
    assert seen == {*expected, "keys", "centos", "indexes"}


def test_an_rsync_in_the_middle_of_publications_brings_nothing_else(
    root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    put(make_build("20261101.0"))
    builds = [make_build(f"202611{day:02}.0", {"raw": os.urandom(4 << 20)}) for day in range(2, 6)]
    with rsync_daemon(root, tmp_path / "d") as url:
        writer = threading.Thread(target=lambda: [put(build) for build in builds])
        writer.start()
        rounds = 0
        while writer.is_alive() or not rounds:
            subprocess.run(["rsync", "-aH", url, f"{tmp_path}/mirror/"], check=False,
                           capture_output=True, timeout=60)
            assert not list((tmp_path / "mirror").rglob(".*"))
            rounds += 1
        writer.join()
        subprocess.run(["rsync", "-aH", "--delete", url, f"{tmp_path}/mirror/"], check=True)
    assert verify(tmp_path / "mirror").findings == []


@pytest.fixture
def fuse(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a file system that has hard links and no exchange."""
    (tmp_path / "below").mkdir()
    mount = tmp_path / "fuse"
    mount.mkdir()
    subprocess.run(["bindfs", "-o", "nonempty", tmp_path / "below", mount], check=True)
    yield mount
    subprocess.run(["fusermount", "-u", mount], check=True)


def test_a_file_system_without_exchange_is_refused_before_anything_is_copied(
    fuse: Path, make_build: MakeBuild, put: Publish,
) -> None:
    """Also for the first publication, which would need none."""
    one, other = fuse / "one", fuse / "other"
    for folder in (one, other):
        folder.mkdir()
    from host.files import exchange
    try:
        exchange(one, other)
    except OSError:
        pass
    else:
        pytest.skip("this FUSE can exchange")
    from publish.policies import load_policy
    from publish.tree import Options, publish
    from tests.publish.conftest import Silent, rehearsal_signer
    with pytest.raises(HostError, match="can't exchange two folders in one step") as caught:
        publish([make_build()], fuse / "public", rehearsal_signer(), Silent(),
                Options(load_policy("rehearsal")))
    assert "ext4" in str(caught.value)
    assert list((fuse / "public").iterdir()) == []


@contextmanager
def mounted(source: Path, target: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", source, target], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", target], check=True)


@pytest.mark.parametrize("place", [".", "centos", IMAGES])
def test_a_mount_in_the_way_is_refused_before_anything_is_copied(
    place: str, root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    """A bind mount has the device of its source: the device's number would not tell."""
    (root / place).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    with mounted(tmp_path / "elsewhere", root / place):
        with pytest.raises(InputError, match="a mount of its own"):
            put(make_build())
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_equal_files_of_a_build_are_stored_once(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build(files={"oci.tar": b"same" * 9, "docker.tar": b"same" * 9, "raw": b"other"}))
    oci, docker, raw = (next((root / IMAGES).glob(f"*21.0*.{end}"))
                        for end in ("oci.tar", "docker.tar", "raw"))
    assert oci.samefile(docker) and not oci.samefile(raw)
    assert verify(root).ok


@pytest.mark.integration
def test_on_xfs_the_build_and_the_tree_share_their_blocks(
    tmp_path: Path, make_build: MakeBuild, put: Publish,
) -> None:
    from publish.policies import load_policy
    from publish.tree import Options, publish
    from tests.publish.conftest import Silent, rehearsal_signer
    image, mount = tmp_path / "xfs.img", tmp_path / "xfs"
    mount.mkdir()
    with image.open("wb") as stream:
        stream.truncate(400 << 20)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        build = make_build(files={"raw": os.urandom(32 << 20)})
        moved = mount / build.name
        subprocess.run(["cp", "-a", build, moved], check=True)
        os.sync()
        before = os.statvfs(mount)
        publish([moved], mount / "public", rehearsal_signer(), Silent(),
                Options(load_policy("rehearsal")))
        os.sync()
        after = os.statvfs(mount)
        used = (before.f_bfree - after.f_bfree) * before.f_bsize
        assert used < 4 << 20
        next(moved.glob("*.raw")).write_bytes(b"written to by a virtual machine")
        assert verify(mount / "public").ok
    finally:
        subprocess.run(["umount", mount], check=True)
