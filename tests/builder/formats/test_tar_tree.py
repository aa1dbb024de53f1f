"""A tree as a tar: what is kept, what is left out, and that the bytes are the same each time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from builder.formats import registry as formats
from builder.formats.archives import tar_tree
from builder.formats.streams.compressors import GZIP, XZ, ZSTD, Compressor
from builder.formats.streams.pipe import pipe
from host.errors import HostError, ProgramError
from host.progress import Silent
from tests.builder.formats.container_tree import EPOCH, about, described, make_tree, unpack


def make(name: str, tree: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    formats.get(name).make(tree, folder, about(), Silent())
    (made,) = folder.iterdir()
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


@pytest.mark.parametrize(("name", "file"), [("tar-xz", "tar.xz"), ("tar-zst", "tar.zst")])
def test_all_of_the_tree_comes_back(name: str, file: str, tree: Path, tmp_path: Path) -> None:
    made = make(name, tree, tmp_path / "out")
    assert made.name == file
    back = unpack(made, tmp_path / "back")
    assert described(back) == described(tree, without=("dev", "proc", "run", "sys"))
    assert os.listxattr(back / "etc/late") == ["system.posix_acl_access"]


def test_labels_stay_behind_capabilities_do_not(tree: Path, tmp_path: Path) -> None:
    back = unpack(make("tar-zst", tree, tmp_path / "out"), tmp_path / "back")
    assert os.listxattr(tree / "etc/hosts") == ["security.selinux"]
    assert os.listxattr(back / "etc/hosts") == []
    assert os.listxattr(back / "usr/bin/ping") == ["security.capability"]


def test_what_the_kernel_provides_comes_as_empty_folders(tree: Path, tmp_path: Path) -> None:
    back = unpack(make("tar-zst", tree, tmp_path / "out"), tmp_path / "back")
    for folder in ("dev", "proc", "run", "sys"):
        assert list((tree / folder).iterdir()) or folder in ("proc", "sys")
        assert list((back / folder).iterdir()) == []


def test_another_copy_of_the_tree_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    """Made in another order, with other inodes, holes and times after the epoch."""
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", "--sparse=never", tree, other], check=True)
    for path in (other / "etc/late", other):
        os.utime(path, (EPOCH + 99_999, EPOCH + 99_999))
    os.utime(tree, (EPOCH + 5, EPOCH + 5))
    for name in ("tar-xz", "tar-zst", "oci", "openvz", "wsl", "incus-unified", "lxc-directory"):
        one, two = (make(name, each, tmp_path / f"{name}-of-{each.name}").read_bytes()
                    for each in (tree, other))
        assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest(), name


def test_no_name_and_no_process_id_of_this_host_gets_in(tree: Path, tmp_path: Path) -> None:
    made = make("tar-xz", tree, tmp_path / "out")
    with tarfile.open(made) as archive:
        members = {member.name: member for member in archive}
    assert all(not member.uname and not member.gname for member in members.values())
    late = members["./etc/late"]
    assert late.mtime == EPOCH
    assert set(late.pax_headers) == {"SCHILY.xattr.system.posix_acl_access"}  # numbers, no names
    assert members["./etc/hosts"].pax_headers == {}
    assert members["./etc/hosts.too"].linkname == "./etc/hosts"


def test_options_of_the_persons_shell_do_not_matter(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = make("tar-xz", tree, tmp_path / "plain").read_bytes()
    monkeypatch.setenv("XZ_OPT", "-0")
    monkeypatch.setenv("TAR_OPTIONS", "--exclude=etc")
    assert make("tar-xz", tree, tmp_path / "set").read_bytes() == plain


@pytest.mark.parametrize("compressor", [XZ, ZSTD, GZIP], ids=lambda each: each.program)
def test_the_number_of_processors_does_not_show(compressor: Compressor) -> None:
    content = b"".join(number.to_bytes(4, "big") * 64 for number in range(100_000))
    results = {
        subprocess.run(
            [compressor.program, *compressor.options, compressor.threads.format(count)],
            input=content, stdout=subprocess.PIPE, check=True).stdout
        for count in (2, 3)
    }
    assert len(results) == 1
    assert compressor.command()[-1] != compressor.threads.format(1)


def test_progress_reaches_nearly_all(tree: Path, tmp_path: Path) -> None:
    seen: list[float] = []

    class Watcher(Silent):
        def advance(self, step: str, done: float, note: str = "") -> None:
            assert step == "tar-zst"
            seen.append(done)

    (tmp_path / "out").mkdir()
    formats.get("tar-zst").make(tree, tmp_path / "out", about(), Watcher())
    assert seen == sorted(seen)
    assert 90 < seen[-1] <= 99


def test_a_full_disk_is_said_by_the_compressor(tree: Path) -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(ProgramError) as caught:
        tar_tree.write(tree, full.fileno(), ZSTD, EPOCH, progress=Silent(), step="tar-zst")
    assert caught.value.argv[0] == "zstd"
    assert "No space left" in " ".join(caught.value.tail)


def test_a_full_disk_without_a_compressor_is_an_os_error(tree: Path) -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(OSError, match="No space left"):
        tar_tree.write(tree, full.fileno(), None, EPOCH, progress=Silent(), step="lxc-directory")


def test_the_program_that_failed_first_is_named(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as stream:
        out = stream.fileno()
        with pytest.raises(ProgramError, match=r"^tar ended with status 2.*nowhere"):
            pipe(["tar", "-cf-", "-C", str(tmp_path / "nowhere"), "."], ["cat"], out)
        with pytest.raises(ProgramError, match=r"^false ended with status 1"):
            pipe(["cat", "/dev/zero"], ["false"], out)  # endless, were it not stopped
        with pytest.raises(HostError, match="no-such-program is not installed"):
            pipe(["true"], ["no-such-program"], out)


def test_the_head_comes_first_and_everything_is_seen(tmp_path: Path) -> None:
    seen = hashlib.sha256()
    with (tmp_path / "out").open("wb") as stream:
        stream.write(b"before ")
        stream.flush()
        pipe(["echo", "tail"], ["tr", "a-z", "A-Z"], stream.fileno(), head=b"head ",
             on_piece=seen.update)
    assert (tmp_path / "out").read_bytes() == b"before HEAD TAIL\n"
    assert seen.digest() == hashlib.sha256(b"head tail\n").digest()
