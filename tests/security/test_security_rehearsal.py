"""A Debian package is data that somebody else made: it is read to its end, and writes nowhere."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from host.errors import InputError
from rehearsal import deb
from rehearsal.deb import read_deb
from rehearsal.debian import DebianPackage
from rehearsal.download import file_name
from rehearsal.makers.making import Making, write
from rehearsal.model import PackagedFile


def ar(*members: tuple[bytes, bytes]) -> bytes:
    """An archive of (size field, content) pairs, all called data.tar.xz."""
    return b"!<arch>\n" + b"".join(
        b"data.tar.xz".ljust(48) + size.ljust(10) + b"`\n" + content for size, content in members)


def package(folder: Path, *entries: tarfile.TarInfo) -> Path:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for entry in entries:
            content = b"content" if entry.isreg() else b""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    packed = lzma.compress(raw.getvalue())
    path = folder / "x_1_amd64.deb"
    path.write_bytes(ar((str(len(packed)).encode(), packed)))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in more.items():
        setattr(made, key, value)
    return made


def making(folder: Path, file: Path) -> Making:
    (folder / "scratch").mkdir()
    return Making("10", {"x": file}, folder / "scratch", "", frozenset(), {})


@pytest.mark.parametrize("name", [
    "./usr/../../../victim/file", "usr/share/..", "../victim/file", "usr//share", "usr/./share",
    "./usr/line\nbreak", "usr/\x1b[2J", "usr/\u202egpj.exe",
])
def test_a_path_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    file = package(tmp_path, entry(name))
    with pytest.raises(InputError):
        making(tmp_path, file).unpack("x", "/")
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_only_files_folders_and_links_are_in_a_package(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file, folder or link"):
        read_deb(package(tmp_path, entry("dev/x", kind)))


def test_a_hard_link_names_what_came_before_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not come before"):
        read_deb(package(tmp_path, entry("b", tarfile.LNKTYPE, linkname="/etc/shadow")))


@pytest.mark.parametrize("mtime", [-1, 1 << 40, float("nan"), float("inf")])
def test_times_are_those_that_a_package_can_have(mtime: float, tmp_path: Path) -> None:
    made = entry("x", pax_headers={"mtime": str(mtime)})
    with pytest.raises(InputError):
        read_deb(package(tmp_path, made))


@pytest.mark.parametrize("content", [
    ar((b"-60", b"")), ar((b"-1", b"x")), ar((b"0x10", b"")), ar((b"", b"")),
    ar((b"9999999999", b"")), ar((b"3", b"abc")), b"!<arch>\n", b"", b"not an archive",
], ids=["back to itself", "negative", "hexadecimal", "none", "too long", "no xz", "empty",
        "nothing", "text"])
def test_what_is_no_archive_is_named(content: bytes, tmp_path: Path) -> None:
    """(A size of -60 used to lead back to the same member, for ever.)"""
    file = tmp_path / "x.deb"
    file.write_bytes(content)
    with pytest.raises(InputError, match="no Debian package"):
        read_deb(file)


@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress])
def test_what_unpacks_without_measure_is_named(
    compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deb, "_UNPACKED_BYTES", 1 << 20)
    packed = compress(bytes(8 << 20))
    content = ar((str(len(packed)).encode(), packed))
    file = tmp_path / "x.deb"
    file.write_bytes(content.replace(b"data.tar.xz", b"data.tar.gz")
                     if compress is gzip.compress else content)
    with pytest.raises(InputError, match="unpacks to more"):
        read_deb(file)


def test_files_are_written_below_their_folder_whatever_lies_there(tmp_path: Path) -> None:
    """Also when a link that something else made is on the way."""
    top, victim = tmp_path / "top", tmp_path / "victim"
    top.mkdir()
    victim.mkdir()
    (top / "usr").symlink_to(victim)
    with pytest.raises(OSError):
        write(top, [PackagedFile("/usr/file", 0o100644, b"content")])
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("version", ["1/../../x", "1\n2", "", "$(id)"])
def test_a_version_is_part_of_a_name_and_no_path(version: str) -> None:
    odd = DebianPackage("bash", version or "/", "amd64", "", 0)
    with pytest.raises(InputError, match="as none can be named"):
        file_name(odd)
    assert file_name(DebianPackage("bash", "1:5.2.15-2+b7", "amd64", "", 0)) == (
        "bash_1%3a5.2.15-2+b7_amd64.deb")
