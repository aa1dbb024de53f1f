"""Disk formats: each holds the same disk, byte for byte, in the same bytes each time."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import random
import re
import shutil
import struct
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from builder.artefact import About
from builder.formats.registry import get
from host.errors import InputError
from host.progress import Silent

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZE = 40 * MIB
EPOCH = 1_750_000_000
ABOUT = About("CentOS Stream 10 Test", "test", "Test", "CentOS-Stream", "10", "x86_64", EPOCH)

QEMU = {
    "qcow2": "qcow2", "qcow2-zlib": "qcow2", "vmdk": "vmdk", "vmdk-sparse": "vmdk", "vhd": "vpc",
    "vhd-dynamic": "vpc", "vhdx": "vhdx", "vdi": "vdi",
}
UNPACKERS = {"raw-xz": "xz", "raw-gz": "gzip", "raw-zst": "zstd"}
PLAIN = ["vhd", "vhd-dynamic", "vhdx", "vdi", "vmdk-sparse"]
OURS = [*QEMU, *UNPACKERS]


def write_disk(path: Path, size_bytes: int, pieces: dict[int, bytes]) -> None:
    with path.open("wb") as stream:
        for offset, content in pieces.items():
            stream.seek(offset)
            stream.write(content)
        stream.truncate(size_bytes)


def noise(length: int) -> bytes:
    return random.Random(length).randbytes(length)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise and text at odd places, zeroes that are written and zeroes that are not."""
    path = tmp_path_factory.mktemp("disk") / "disk.raw"
    write_disk(path, SIZE, {
        0: b"boot sector".ljust(512, b"."),
        2 * MIB - 7: b"text that crosses a block " * 4 * KIB,
        5 * MIB + 12_345: noise(2 * MIB + 77),
        9 * MIB: bytes(MIB),
        37 * MIB + 3: b"one page",
        SIZE - 512: b"backup table".ljust(512, b"."),
    })
    return path


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine GiB with a little in many places: more tables than one, numbers of over 33 bits."""
    path = tmp_path_factory.mktemp("wide") / "disk.raw"
    write_disk(path, 9 * GIB, {
        number * 97 * MIB + number * 513: noise(700 + number) for number in range(90)})
    return path


@pytest.fixture(scope="module")
def made(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(name, disk, tmp_path_factory.mktemp(name)) for name in OURS}


def make(name: str, source: Path, folder: Path) -> Path:
    get(name).make(source, folder, ABOUT, Silent())
    (path,) = folder.iterdir()
    return path


def qemu(*words: str | Path) -> str:
    return subprocess.run(["qemu-img", *words], check=True, capture_output=True, text=True).stdout


def same(raw: Path, path: Path, kind: str) -> None:
    """Compare contents and, which `qemu-img compare` leaves out for zeroes, sizes."""
    qemu("compare", "-f", "raw", "-F", kind, raw, path)
    assert json.loads(qemu("info", "-f", kind, "--output=json", path))["virtual-size"] == (
        raw.stat().st_size)


@pytest.mark.parametrize("name", QEMU)
def test_qemu_reads_the_same_disk_of_the_same_size(
    name: str, disk: Path, made: dict[str, Path], tmp_path: Path,
) -> None:
    qemu("convert", "-f", QEMU[name], "-O", "raw", made[name], tmp_path / "back.raw")
    assert (tmp_path / "back.raw").read_bytes() == disk.read_bytes()


@pytest.mark.parametrize("name", sorted(set(QEMU) - {"vhd", "vhd-dynamic"}))
def test_qemu_finds_nothing_wrong(name: str, made: dict[str, Path]) -> None:
    assert "No errors were found" in qemu("check", "-f", QEMU[name], made[name])


@pytest.mark.parametrize("name", sorted(set(QEMU) - {"vhdx"}))  # QEMU reads its holes, too
def test_a_disk_of_many_tables(name: str, wide: Path, tmp_path: Path) -> None:
    path = make(name, wide, tmp_path)
    same(wide, path, QEMU[name])
    if name not in ("vhd", "vhd-dynamic"):
        qemu("check", "-f", QEMU[name], path)


def test_a_vhdx_of_over_4_gib_has_places_for_bitmaps_in_its_table(
    wide: Path, tmp_path: Path,
) -> None:
    pyvhdi = pytest.importorskip("pyvhdi")
    file = pyvhdi.file()
    file.open(str(make("vhdx", wide, tmp_path)))
    assert file.get_media_size() == 9 * GIB
    for number in range(90):
        before, content = 1000, noise(700 + number)
        at = number * 97 * MIB + number * 513
        expected = bytes(min(before, at)) + content + bytes(before)
        assert file.read_buffer_at_offset(len(expected), max(0, at - before)) == expected
    file.close()


@pytest.mark.parametrize("name", [*QEMU, *UNPACKERS])
def test_a_disk_of_nothing_but_a_hole(name: str, tmp_path: Path) -> None:
    empty, folder = tmp_path / "empty.raw", tmp_path / "out"
    write_disk(empty, 30 * MIB, {})
    folder.mkdir()
    path = make(name, empty, folder)
    if name in QEMU:
        same(empty, path, QEMU[name])
    else:
        assert unpacked(name, path) == bytes(30 * MIB)


@pytest.mark.parametrize("name", OURS)
def test_equal_bytes_at_another_time_on_one_processor_from_a_copy_with_other_holes(
    name: str, disk: Path, made: dict[str, Path], tmp_path: Path,
) -> None:
    copy, folder = tmp_path / "copy.raw", tmp_path / "out"
    copy.write_bytes(disk.read_bytes())
    folder.mkdir()
    assert copy.stat().st_blocks > 2 * disk.stat().st_blocks
    processors = os.sched_getaffinity(0)
    while time.time() < made[name].stat().st_mtime + 1:
        time.sleep(0.1)
    os.sched_setaffinity(0, {min(processors)})
    try:
        again = make(name, copy, folder)
    finally:
        os.sched_setaffinity(0, processors)
    assert again.read_bytes() == made[name].read_bytes()


@pytest.mark.parametrize("name", PLAIN)
def test_holes_and_zeroes_take_no_room_in_the_file(
    name: str, disk: Path, made: dict[str, Path],
) -> None:
    assert made[name].stat().st_blocks <= disk.stat().st_blocks - MIB // 512 + 200, (
        "the MiB of zeroes that the disk has written down is a hole here")


@pytest.mark.parametrize("name", OURS)
def test_holes_are_not_read(name: str, disk: Path, tmp_path: Path) -> None:
    def read_bytes() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = read_bytes()
    make(name, disk, tmp_path)
    assert read_bytes() - before < disk.stat().st_blocks * 512 + 256 * KIB


@pytest.mark.parametrize("name", PLAIN)
def test_other_content_has_another_id(name: str, disk: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.raw"
    other.write_bytes(disk.read_bytes().replace(b"one page", b"eno page"))
    heads = []
    for source in (disk, other):
        folder = tmp_path / source.stem
        folder.mkdir()
        heads.append(make(name, source, folder).read_bytes())
    assert len(heads[0]) == len(heads[1])
    differing = sum(heads[0][at:at + 512] != heads[1][at:at + 512]
                    for at in range(0, len(heads[0]), 512))
    assert differing > 1, "the page itself and the header with the id"


# Compressed raw disks: one stream each, which old and simple readers take.

@pytest.mark.parametrize("name", UNPACKERS)
def test_the_usual_program_unpacks_it(name: str, disk: Path, made: dict[str, Path]) -> None:
    subprocess.run([UNPACKERS[name], "-qt", made[name]], check=True)
    assert unpacked(name, made[name]) == disk.read_bytes()


def unpacked(name: str, path: Path) -> bytes:
    return subprocess.run(
        [UNPACKERS[name], "-dc", path], check=True, capture_output=True).stdout


def test_python_unpacks_them(disk: Path, made: dict[str, Path]) -> None:
    assert lzma.decompress(made["raw-xz"].read_bytes()) == disk.read_bytes()
    assert gzip.decompress(made["raw-gz"].read_bytes()) == disk.read_bytes()
    frames = zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(made["raw-zst"].read_bytes()), read_across_frames=True)
    assert frames.read() == disk.read_bytes()


def test_xz_is_one_stream_whose_blocks_can_be_unpacked_at_once(made: dict[str, Path]) -> None:
    listing = subprocess.run(["xz", "--list", "-vv", made["raw-xz"]], check=True,
                             capture_output=True, text=True).stdout
    assert re.search(r"Streams: +1\n", listing)
    assert re.search(r"Blocks: +2\n", listing), "40 MiB in blocks of 24 MiB"
    assert re.search(r"Sizes in headers: +Yes", listing)
    assert re.search(r"Check: +CRC64", listing)


def test_gzip_is_one_member_without_name_and_time(disk: Path, made: dict[str, Path]) -> None:
    data = made["raw-gz"].read_bytes()
    assert data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    assert struct.unpack("<I", data[-4:])[0] == disk.stat().st_size


# What the headers say, by readers that others wrote.

@pytest.mark.parametrize("name", ["vhd", "vhd-dynamic", "vhdx"])
def test_libvhdi_reads_them(name: str, disk: Path, made: dict[str, Path]) -> None:
    pyvhdi = pytest.importorskip("pyvhdi")
    file = pyvhdi.file()
    file.open(str(made[name]))
    assert file.get_media_size() == SIZE
    assert file.read_buffer_at_offset(SIZE, 0) == disk.read_bytes()
    assert re.fullmatch(r"[0-9a-f-]{36}", file.get_identifier())
    file.close()


def test_the_footer_of_a_vhd(made: dict[str, Path]) -> None:
    footer = made["vhd"].read_bytes()[-512:]
    assert made["vhd"].stat().st_size == SIZE + 512
    (cookie, _, version, data_at, timestamp, creator) = struct.unpack_from(">8sIIQI4s", footer)
    assert (cookie, version, data_at) == (b"conectix", 0x10000, 0xFFFFFFFFFFFFFFFF)
    assert timestamp == EPOCH - 946_684_800, "seconds since 2000"
    assert creator == b"qem2", "so that the size in bytes counts, not the geometry"
    assert struct.unpack_from(">QQ", footer, 40) == (SIZE, SIZE)
    assert struct.unpack_from(">I", footer, 60) == (2,), "fixed"
    checksum = struct.unpack_from(">I", footer, 64)[0]
    assert checksum == ~(sum(footer) - sum(footer[64:68])) & 0xFFFFFFFF


def test_a_dynamic_vhd_has_its_footer_twice_and_whole_pages(made: dict[str, Path]) -> None:
    data = made["vhd-dynamic"].read_bytes()
    assert data[:512] == data[-512:]
    assert data[512:520] == b"cxsparse"
    entries = struct.unpack_from(">20I", data, 1536)
    used = [entry for entry in entries if entry != 0xFFFFFFFF]
    assert len(used) == 6
    assert all((entry + 1) * 512 % 4096 == 0 for entry in used)


@pytest.mark.skipif(shutil.which("7zz") is None, reason="7-Zip is not installed")
@pytest.mark.parametrize(
    "name", ["vdi", "vhdx", "vhd-dynamic", "qcow2-zlib", "vmdk", "vmdk-sparse"])
def test_seven_zip_reads_them(name: str, disk: Path, made: dict[str, Path]) -> None:
    kind = {"vhd-dynamic": "vhd", "qcow2-zlib": "qcow", "vmdk-sparse": "vmdk"}.get(name, name)
    content = subprocess.run(
        ["7zz", "x", f"-t{kind}", "-so", made[name]], check=True, capture_output=True).stdout
    assert content == disk.read_bytes()


@pytest.mark.parametrize("name", ["vmdk", "vmdk-sparse"])
def test_libvmdk_reads_descriptor_and_content(
    name: str, disk: Path, made: dict[str, Path], tmp_path: Path,
) -> None:
    pyvmdk = pytest.importorskip("pyvmdk")
    (tmp_path / "disk.vmdk").symlink_to(made[name])  # libvmdk opens the name in the descriptor
    handle = pyvmdk.handle()
    handle.open(str(tmp_path / "disk.vmdk"))
    handle.open_extent_data_files()
    assert handle.get_media_size() == SIZE
    assert handle.read_buffer_at_offset(SIZE, 0) == disk.read_bytes()
    assert handle.get_content_identifier() == content_id(made[name])
    handle.close()


def content_id(path: Path) -> int:
    found = re.search(rb"\nCID=([0-9a-f]{8})\n", path.read_bytes()[512:11 * KIB])
    assert found
    return int(found[1], 16)


def test_a_stream_optimised_vmdk_ends_with_a_footer(made: dict[str, Path]) -> None:
    data = made["vmdk"].read_bytes()
    assert struct.unpack_from("<4sII", data) == (b"KDMV", 3, 0x30001)
    assert struct.unpack_from("<Q", data, 56) == (0xFFFFFFFFFFFFFFFF,), "see the footer"
    assert struct.unpack_from("<QII", data[-1536:]) == (1, 0, 3), "a marker of the footer"
    assert data[-1024:-1020] == b"KDMV"
    assert data[-512:] == bytes(512), "the end of the stream"
    assert b'createType="streamOptimized"' in data[512:2048]


def test_the_header_of_qcow2_zlib_is_one_that_old_readers_take(made: dict[str, Path]) -> None:
    data = made["qcow2-zlib"].read_bytes()
    assert struct.unpack_from(">4sI", data) == (b"QFI\xfb", 3)
    assert struct.unpack_from(">QI", data, 8) == (0, 0), "no backing file"
    assert struct.unpack_from(">Q", data, 72) == (0,), "no incompatible feature"


# Google's tar.

@pytest.fixture(scope="module")
def google(wide: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield make("gce", wide, tmp_path_factory.mktemp("gce"))


def test_google_gets_one_sparse_member_in_the_old_gnu_format(google: Path, wide: Path) -> None:
    with gzip.open(google) as stream:
        head = stream.read(512)
    assert head[257:265] == b"ustar  \0"
    assert head[156:157] == b"S"
    with tarfile.open(google) as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.size, member.mtime) == ("disk.raw", 9 * GIB, EPOCH)
        assert member.issparse()
        stream_of_disk = archive.extractfile(member)
        assert stream_of_disk is not None
        for number in (0, 1, 44, 89):
            stream_of_disk.seek(number * 97 * MIB + number * 513)
            assert stream_of_disk.read(700 + number) == noise(700 + number)


def test_gnu_tar_unpacks_it_with_its_holes(google: Path, wide: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xzf", google, "-C", tmp_path], check=True)
    assert (tmp_path / "disk.raw").stat().st_size == 9 * GIB
    assert (tmp_path / "disk.raw").stat().st_blocks * 512 < 16 * MIB
    same(wide, tmp_path / "disk.raw", "raw")


def test_google_gets_equal_bytes_each_time(google: Path, wide: Path, tmp_path: Path) -> None:
    os.utime(wide)
    assert make("gce", wide, tmp_path).read_bytes() == google.read_bytes()


def test_a_disk_of_half_a_gib_is_not_for_google(tmp_path: Path) -> None:
    write_disk(tmp_path / "disk.raw", GIB + GIB // 2, {})
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"whole GiB, this one has 1\.50"):
        make("gce", tmp_path / "disk.raw", tmp_path / "out")


@pytest.mark.parametrize("name", ["vhd", "vhd-dynamic"])
def test_a_disk_too_large_for_a_vhd_is_refused(name: str, tmp_path: Path) -> None:
    write_disk(tmp_path / "disk.raw", 2041 * GIB, {})
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"2040 GiB at most, the disk has 2041 GiB.*vhdx"):
        make(name, tmp_path / "disk.raw", tmp_path / "out")
