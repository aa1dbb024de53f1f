"""Disks in other formats and containers: each is read as the raw disk that it was made of."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import random
import subprocess
import tarfile
from pathlib import Path

import pytest
import zstandard

from host.errors import InputError
from validate.packed import as_raw, kind_of

SIZE = 8 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A raw disk with data at its beginning, in its middle and in its last sector."""
    path = tmp_path / "source"
    content = bytearray(SIZE)
    content[:9], content[5 << 20:(5 << 20) + 6], content[-4:] = b"beginning", b"middle", b"last"
    path.write_bytes(content)
    return path


def packed(disk: Path, name: str, options: str | None = None) -> Path:
    target = disk.with_name(name)
    content = disk.read_bytes()
    if name.endswith(".xz"):
        target.write_bytes(lzma.compress(content))
    elif name.endswith(".zst"):
        target.write_bytes(zstandard.ZstdCompressor().compress(content))
    elif name.endswith(".raw.gz"):
        target.write_bytes(gzip.compress(content))
    else:
        kind = {"vhd": "vpc"}.get(name.rpartition(".")[2], name.rpartition(".")[2])
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind,
                        *(["-o", options] if options else []), disk, target], check=True)
    return target


CASES = [("x.raw.xz", None), ("x.raw.zst", None), ("x.raw.gz", None),
         ("x.vhd", "subformat=fixed,force_size=on"), ("x.vhd", "subformat=dynamic,force_size=on"),
         ("x.vhdx", None), ("x.vdi", None), ("x.vmdk", "subformat=streamOptimized"),
         ("x.vmdk", "subformat=monolithicSparse")]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_disk_is_the_same_in_every_format(
    disk: Path, name: str, options: str | None,
) -> None:
    path = packed(disk, name, options)
    before = hashlib.sha256(path.read_bytes()).digest()
    kind = kind_of(path, None)
    assert kind is not None
    with as_raw(path, kind) as found:
        assert found.raw.read_bytes() == disk.read_bytes()
        assert found.faults == ()
    assert hashlib.sha256(path.read_bytes()).digest() == before


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_cut_off_container_is_bad_input(disk: Path, name: str, options: str | None) -> None:
    with disk.open("r+b") as stream:  # what does not compress, up to a part of the last block
        stream.write(random.Random(1).randbytes((2 << 20) + 4096))
    path = packed(disk, name, options)
    kind = kind_of(path, None)
    assert kind is not None
    with as_raw(path, kind) as found:
        assert found.raw.read_bytes() == disk.read_bytes()
    whole = path.read_bytes()
    lost = 0
    for left in (len(whole) - 1024, len(whole) - 70_000, len(whole) // 2):
        path.write_bytes(whole[:left])
        try:
            with as_raw(path, kind) as found:  # an end that holds no data may lack
                assert found.raw.read_bytes() == disk.read_bytes()
        except InputError:
            lost += 1
    assert lost >= 2


def google(disk: Path, *, member: str = "disk.raw", form: int = tarfile.GNU_FORMAT,
           packing: str = "gz") -> Path:
    path = disk.with_name("google.tar.gz")
    with tarfile.open(path, f"w:{packing}", format=form) as made:  # type: ignore[call-overload]
        about = tarfile.TarInfo(member)
        about.size = SIZE
        if form == tarfile.PAX_FORMAT:
            about.pax_headers = {"comment": "x"}
        made.addfile(about, io.BytesIO(disk.read_bytes()))
    return path


def test_googles_tar_is_read(disk: Path) -> None:
    with as_raw(google(disk), "gce") as found:
        assert found.raw.read_bytes() == disk.read_bytes()
        assert found.faults == ()


@pytest.mark.parametrize(("more", "fault"), [
    ({"form": tarfile.PAX_FORMAT}, "pax format"), ({"packing": "xz"}, "not packed by gzip"),
])
def test_a_tar_that_google_refuses_has_faults(
    disk: Path, more: dict[str, object], fault: str,
) -> None:
    with as_raw(google(disk, **more), "gce") as found:  # type: ignore[arg-type]
        assert fault in "; ".join(found.faults)


def test_a_footer_that_is_changed_is_a_fault(disk: Path) -> None:
    path = packed(disk, "x.vhd", "subformat=fixed,force_size=on")
    with path.open("r+b") as stream:
        stream.seek(-512 + 67, 2)
        byte = stream.read(1)[0]
        stream.seek(-512 + 67, 2)
        stream.write(bytes([byte ^ 1]))
    try:
        with as_raw(path, "vpc") as found:
            assert "checksum" in "; ".join(found.faults)
    except InputError as error:  # QEMU looks at it as well
        assert "vpc" in error.what


def ova(disk: Path, *, spoil: bool = False, order: tuple[str, ...] = ("ovf", "mf", "vmdk")) -> Path:
    vmdk = packed(disk, "d.vmdk", "subformat=streamOptimized").read_bytes()
    members = {"m.ovf": b"<Envelope/>", "d.vmdk": vmdk}
    told = "".join(f"SHA256({name})= {hashlib.sha256(content).hexdigest()}\n"
                   for name, content in members.items())
    members["m.mf"] = (told.replace("a", "b") if spoil else told).encode()
    path = disk.with_name("x.ova")
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as made:
        for ending in order:
            name = next(each for each in members if each.endswith(ending))
            about = tarfile.TarInfo(name)
            about.size = len(members[name])
            made.addfile(about, io.BytesIO(members[name]))
    return path


def test_an_ova_is_its_disk_and_its_manifest_is_checked(disk: Path) -> None:
    with as_raw(ova(disk), "ova") as found:
        assert found.raw.read_bytes() == disk.read_bytes()
        assert found.faults == ()
    with as_raw(ova(disk, spoil=True), "ova") as found:
        assert "another digest" in "; ".join(found.faults)
    with as_raw(ova(disk, order=("vmdk", "ovf", "mf")), "ova") as found:
        assert "no descriptor" in "; ".join(found.faults)


DESCRIPTOR = (b"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
              b'createType="monolithicFlat"\nRW 8 FLAT "/etc/passwd" 0\n')


@pytest.mark.parametrize(("name", "content"), [
    ("x.vmdk", DESCRIPTOR), ("x.vmdk", b"KDMV" + bytes(508)), ("x.vhdx", b"vhdxfile" + bytes(99)),
    ("x.vdi", b"nothing"), ("x.raw.xz", lzma.compress(bytes(9999))[:-9]), ("x.ova", b"x" * 2048),
    ("x.vhd", b"conectix" + bytes(504)), ("x.raw.gz", b"\x1f\x8b" + bytes(9))])
def test_what_is_broken_or_names_other_files_is_not_opened(
    tmp_path: Path, name: str, content: bytes,
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    kind = kind_of(path, None)
    assert kind is not None
    with pytest.raises(InputError), as_raw(path, kind):
        pass


def test_a_disk_whose_blocks_are_all_the_same_one_fills_no_disk_of_ours(tmp_path: Path) -> None:
    """A file of 1.4 MiB that would be 100 GiB of data (VDI's block map, QEMU's block/vdi.c)."""
    path = tmp_path / "x.vdi"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vdi", path, "100G"], check=True)
    content = bytearray(path.read_bytes())
    map_at, data_at = (int.from_bytes(content[at:at + 4], "little") for at in (0x154, 0x158))
    content[0x184:0x188] = (1).to_bytes(4, "little")
    content[map_at:data_at] = bytes(data_at - map_at)
    path.write_bytes(content[:data_at].ljust(data_at, b"\0") + b"x" * (1 << 20))
    with pytest.raises(InputError, match="more than 32 GiB of data"), as_raw(path, "vdi"):
        pass


def test_a_vhdx_with_one_block_in_many_places_is_given_up(tmp_path: Path) -> None:
    """The region table says where its block allocation table lies (MS-VHDX 2.2, 2.5)."""
    raw, path = tmp_path / "raw", tmp_path / "x.vhdx"
    raw.write_bytes(b"x" * (1 << 20))
    with raw.open("r+b") as stream:
        stream.truncate(2 << 30)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", "block_size=1M",
                    raw, path], check=True)
    content = bytearray(path.read_bytes())
    at = content.index(bytes.fromhex("6677c22d23f600429d64115e9bfd4a08"), 192 << 10)
    table = int.from_bytes(content[at + 16:at + 24], "little")
    assert int.from_bytes(content[table:table + 8], "little") & 7 == 6
    content[table:table + 8 * 2048] = content[table:table + 8] * 2048
    path.write_bytes(content)
    with pytest.raises(InputError, match="blocks lie in it twice"), as_raw(path, "vhdx"):
        pass


def test_a_vhdx_may_be_larger_than_what_may_be_written_of_it(tmp_path: Path) -> None:
    """QEMU tells of all of it as data."""
    path = tmp_path / "x.vhdx"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vhdx", path, "40G"], check=True)
    with as_raw(path, "vhdx") as found:
        assert found.raw.stat().st_size == 40 << 30
