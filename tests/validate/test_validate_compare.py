"""Two builds side by side: what is found to differ, and how it is named."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from host.errors import InputError
from host.progress import Silent
from images.record import Artefact, BuildRecord
from validate.compare.builds import Pair, compare_builds
from validate.compare.disks import parse_tree
from validate.compare.members import compare_archives
from validate.compare.pieces import first_difference
from validate.compare.traits import SHOWN_MAX, Traits, differences, shortened

MIB = 1 << 20


def sparse(path: Path, size_bytes: int, **pieces: bytes) -> Path:
    """Make a file of holes with some bytes in it: at_OFFSET=b"…"."""
    with path.open("wb") as stream:
        for offset, content in pieces.items():
            stream.seek(int(offset.removeprefix("at_")))
            stream.write(content)
        stream.truncate(size_bytes)
    return path


def test_the_first_byte_that_differs_is_found_across_holes(tmp_path: Path) -> None:
    one = sparse(tmp_path / "one", 1 << 40, at_5000=b"same", at_1099511000000=b"abcd")
    other = sparse(tmp_path / "other", 1 << 40, at_5000=b"same", at_1099511000000=b"abXd")
    assert first_difference(one, other) == 1099511000002
    assert first_difference(one, other, 0, 1099511000000) is None
    assert first_difference(one, one) is None


def test_a_hole_is_as_good_as_zeroes_and_a_shorter_file_differs_at_its_end(tmp_path: Path) -> None:
    hole = sparse(tmp_path / "hole", 3 * MIB)
    zeroes = tmp_path / "zeroes"
    zeroes.write_bytes(bytes(3 * MIB))
    assert first_difference(hole, zeroes) is None
    longer = sparse(tmp_path / "longer", 3 * MIB + 1)
    assert first_difference(hole, longer) == first_difference(longer, hole) == 3 * MIB
    assert first_difference(hole, longer, 0, 3 * MIB) is None


def test_differences_name_the_attribute_and_both_values() -> None:
    one = {"/a": Traits("file", "644", "0:0", 3, "1.0", "x", "/a", {"security.selinux": "0x01"}),
           "/gone": Traits("folder")}
    other = {"/a": Traits("file", "600", "0:0", 3, "2.0", "x", "/a", {"security.selinux": "0x02"}),
             "/new": Traits("folder")}
    assert differences(one, other) == [
        "/a: mode 644 → 600; mtime 1.0 → 2.0; security.selinux 0x01 → 0x02",
        "/gone: only in the build", "/new: only in the rebuild",
    ]
    assert differences(one, one) == []


def test_names_that_are_not_utf8_can_be_printed() -> None:
    (line,) = differences({os.fsdecode(b"/latin\xe9"): Traits("file")}, {})
    assert line.encode() == b"/latin\\udce9: only in the build"


def test_of_many_differences_some_are_shown_and_the_others_counted() -> None:
    lines = [str(number) for number in range(SHOWN_MAX + 7)]
    assert shortened(lines)[-1] == "and 7 more" and len(shortened(lines)) == SHOWN_MAX + 1
    assert shortened(lines[:3]) == lines[:3]


def archive(path: Path, mode: str, members: dict[str, bytes], mtime: int = 5) -> bytes:
    """Make a tar archive of small files; mode: that of tarfile.open()."""
    with tarfile.open(path, mode) as stream:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), mtime
            stream.addfile(info, io.BytesIO(content))
    return path.read_bytes()


def compare(one: Path, other: Path, scratch: Path) -> list[str] | None:
    scratch.mkdir()
    return compare_archives(one, other, scratch)


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz", "zstd"])
def test_the_members_of_an_archive_that_differ_are_named(tmp_path: Path, kind: str) -> None:
    paths = []
    for name, content in (("one", b"early"), ("other", b"later")):
        path = tmp_path / name
        archive(path, "w" if kind == "zstd" else kind, {"etc/same": b"1", "etc/stamp": content})
        if kind == "zstd":
            subprocess.run(["zstd", "-q", "--rm", path, "-o", f"{path}.zst"], check=True)
            path = Path(f"{path}.zst")
        paths.append(path)
    (line,) = compare(paths[0], paths[1], tmp_path / "scratch") or []
    sums = [hashlib.sha256(text).hexdigest()[:12] for text in (b"early", b"later")]
    assert line == f"etc/stamp: content {sums[0]}… → {sums[1]}…"


def test_layers_that_are_named_by_their_content_are_paired_and_looked_into(tmp_path: Path) -> None:
    for name, content in (("one", b"early"), ("other", b"later")):
        layer = archive(tmp_path / "layer", "w:gz", {"etc/stamp": content, "etc/same": b"1"})
        archive(tmp_path / name, "w", {
            "oci-layout": b"{}", f"blobs/sha256/{hashlib.sha256(layer).hexdigest()}": layer})
    lines = compare(tmp_path / "one", tmp_path / "other", tmp_path / "scratch")
    assert lines is not None and any(
        line.startswith("blobs/sha256/") and " → etc/stamp: content " in line for line in lines)
    assert not any("etc/same" in line for line in lines)


def test_equal_contents_in_another_order_are_said(tmp_path: Path) -> None:
    archive(tmp_path / "one", "w", {"a": b"1", "b": b"2"})
    archive(tmp_path / "other", "w", {"b": b"2", "a": b"1"})
    assert compare(tmp_path / "one", tmp_path / "other", tmp_path / "s") == [
        "the members are in another order"]


def test_what_is_no_archive_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"\x1f\x8b not really gzip")
    (tmp_path / "other").write_bytes(b"text")
    assert compare(tmp_path / "one", tmp_path / "other", tmp_path / "s") is None


def listed(folder: Path) -> dict[str, Traits]:
    """Return a folder's tree as the appliance's programs list it."""
    def said(command: str) -> bytes:
        return subprocess.run(["sh", "-c", command], cwd=folder, check=True,
                              capture_output=True).stdout

    from validate.compare import disks
    return parse_tree(said(disks._FIND), said(disks._SUMS), said(disks._DEVICES),
                      said(disks._ATTRIBUTES))


@pytest.mark.skipif(os.geteuid() != 0, reason="devices and attributes are root's")
def test_a_listing_has_every_attribute(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    file = tmp_path / "folder/späße = \\ [x]\n2"
    file.write_text("content")
    os.utime(file, ns=(0, 1_500_000_000_123_456_789))
    os.setxattr(file, "user.note", b"a\nb")
    (tmp_path / "twin").hardlink_to(file)
    (tmp_path / "link").symlink_to("folder")
    os.mknod(tmp_path / "null", 0o20666, os.makedev(1, 3))
    os.chown(tmp_path / "null", 7, 8)
    found = listed(tmp_path)
    name = "/folder/späße = \\ [x]\n2"
    assert found.keys() == {"/", "/folder", name, "/twin", "/link", "/null"}
    assert found[name].content == hashlib.blake2b(b"content", digest_size=32).hexdigest()
    assert found[name].mtime.startswith("1500000000.123456789")
    assert found[name].attributes["user.note"] == "0x610a62"
    assert found["/twin"].twin == name and found["/twin"].content == found[name].content
    assert found["/link"].content == "folder" and found["/link"].kind == "link"
    assert (found["/null"].content, found["/null"].owner) == ("1:3", "7:8")
    assert found["/folder"].mode == "700"


def test_a_listing_that_is_cut_off_is_no_tree() -> None:
    with pytest.raises(InputError, match="cut off"):
        parse_tree(b"f\x00644\x000:0", b"", b"", b"")


def record(folder: Path) -> BuildRecord:
    """Return the record of a build whose artefacts are the files in a folder."""
    artefacts = [
        Artefact(format=path.suffix.removeprefix("."), file=path.name,
                 size_bytes=path.stat().st_size,
                 sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
    ]
    return BuildRecord(
        name="small", image="small", flavour="Small", release="r", distribution="d", version="1",
        arch="x86_64", build_id="20261121.0", public_path="p", spec="baseline", engine=None,
        engine_reason="", kickstart="small.ks", kickstart_sha256="", digest="",
        source_date_epoch=1, repositories=[], packages=[], artefacts=artefacts, steps=[], tools={})


def pair(tmp_path: Path, one: dict[str, bytes], other: dict[str, bytes]) -> Pair:
    for name, members in (("one", one), ("other", other)):
        (tmp_path / name).mkdir()
        for file, content in members.items():
            (tmp_path / name / file).write_bytes(content)
    (tmp_path / "scratch").mkdir()
    one_folder, other_folder = tmp_path / "one", tmp_path / "other"
    return Pair(one_folder, record(one_folder), other_folder, record(other_folder),
                is_of_disk=lambda name: name in ("raw", "vhd"), exact=True)


def test_equal_builds_are_equal_and_a_stamp_in_one_member_is_found(tmp_path: Path) -> None:
    early, later = (archive(tmp_path / name, "w:gz", {"etc/stamp": name.encode()})
                    for name in ("early", "later"))
    two = pair(tmp_path, {"a.tar": early, "b.tar": early}, {"a.tar": early, "b.tar": later})
    same, stamped = compare_builds(two, tmp_path / "scratch", Silent())
    assert (same.file, same.verdict, same.places) == ("a.tar", "same bytes", [])
    assert (stamped.file, stamped.verdict, stamped.passed) == ("b.tar", "differs", False)
    assert stamped.offset_bytes is not None and len(stamped.places) == 1
    assert stamped.places[0].startswith("etc/stamp: content ")


def test_a_disk_that_nobody_can_look_into_differs_by_its_bytes(tmp_path: Path) -> None:
    two = pair(tmp_path, {"a.vhd": b"12345"}, {"a.vhd": b"12X45"})
    (found,) = compare_builds(two, tmp_path / "scratch", Silent())
    assert (found.verdict, found.offset_bytes) == ("differs", 2)
    assert "look into" in found.places[0]


def test_a_file_that_was_changed_after_its_build_is_no_reference(tmp_path: Path) -> None:
    two = pair(tmp_path, {"a.vhd": b"12345"}, {"a.vhd": b"12345"})
    (two.one / "a.vhd").write_bytes(b"12346")
    with pytest.raises(InputError, match="not the one that its build"):
        compare_builds(two, tmp_path / "scratch", Silent())


def test_a_build_without_its_files_is_compared_by_its_record(tmp_path: Path) -> None:
    two = pair(tmp_path, {"a.vhd": b"1", "b.vhd": b"1"}, {"a.vhd": b"1", "b.vhd": b"2"})
    for name in ("a.vhd", "b.vhd"):
        (two.one / name).unlink()
    same, other = compare_builds(two, tmp_path / "scratch", Silent())
    assert same.verdict == "same bytes"
    assert (other.verdict, other.places) == (
        "differs", ["the build's file is not there to be looked into"])
