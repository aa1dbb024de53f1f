"""Archives of a stranger's build, compared with our own: bounded, and never a bug."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import time
from pathlib import Path

import pytest
import zstandard

from host.errors import InputError
from validate import streams, tars
from validate.compare.members import compare_archives

PACK = {"tar": bytes, "gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress,
        "zst": zstandard.compress}


def tar_of(**contents: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(content), {"SCHILY.xattr.user.a": "b"}
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def compared(folder: Path, content: bytes) -> list[str] | None:
    good, bad = folder / "good", folder / "bad"
    good.write_bytes(tar_of(a=b"1"))
    bad.write_bytes(content)
    scratch = folder / "scratch"
    scratch.mkdir()
    return compare_archives(good, bad, scratch)


@pytest.mark.parametrize("kind", PACK)
def test_every_kind_is_read_and_what_differs_is_named(tmp_path: Path, kind: str) -> None:
    assert compared(tmp_path, PACK[kind](tar_of(a=b"1"))) == []


@pytest.mark.parametrize("kind", PACK)
def test_a_changed_member_is_named(tmp_path: Path, kind: str) -> None:
    lines = compared(tmp_path, PACK[kind](tar_of(a=b"2", b=b"")))
    assert lines is not None and len(lines) == 2


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("numbers", [
    range(40), pytest.param(range(40, 600), marks=pytest.mark.full)])
def test_a_damaged_archive_is_bad_input_or_none(
    tmp_path: Path, kind: str, numbers: range,
) -> None:
    whole = PACK[kind](tar_of(a=random.Random(1).randbytes(3000), b=b"x" * 3000))
    for number in numbers:
        chance = random.Random(number)
        content = bytearray(whole)
        for _ in range(chance.randint(0, 8)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        del content[chance.choice([len(content), chance.randrange(len(content))]):]
        folder = tmp_path / str(number)
        folder.mkdir()
        begun = time.monotonic()
        try:
            compared(folder, bytes(content))
        except InputError as error:
            assert "can't be read" in error.what
        assert time.monotonic() - begun < 5


def test_a_header_of_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 7 << 30
    with pytest.raises(InputError, match="can't be read") as caught:
        first = tar_of(a=b"1").rstrip(b"\0")
        first += bytes(-len(first) % 512)
        compared(tmp_path, gzip.compress(first + info.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 20)))
    assert "a header of" in str(caught.value.why)


def test_a_bomb_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "UNPACKED_BYTES_MAX", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more"):
        compared(tmp_path, gzip.compress(tar_of(a=bytes(4 << 20))))


def test_members_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MEMBERS_MAX", 2)
    with pytest.raises(InputError, match="more than 2 files"):
        compared(tmp_path, tar_of(a=b"", b=b"", c=b""))
