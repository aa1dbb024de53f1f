"""Formats are found by being there, and a full disk is no puzzle."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

from builder.artefact import DISK, TREE, About
from builder.formats import qcow2
from builder.formats.registry import FORMATS, get, origin
from host.errors import InputError, ProgramError
from host.mounts import mounted, private_mounts
from host.progress import Silent

MIB = 1 << 20
ABOUT = About("CentOS Stream 10 Test", "test", "Test", "CentOS-Stream", "10", "x86_64", 17)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with something at its beginning, its end, and zeroes and a hole between."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as stream:
        stream.write(os.urandom(3 * MIB) + b"text " * MIB + bytes(5 * MIB))
        stream.seek(64 * MIB - 512)
        stream.write(b"backup table".ljust(512, b"."))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_every_module_of_the_folder_is_a_format() -> None:
    folder = Path(qcow2.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "registry"}
    assert {Path(str(each.__file__)).stem for each in FORMATS.values()} == modules  # type: ignore[attr-defined]
    assert modules == {name.replace("-", "_") for name in FORMATS}
    assert all(get(name).name == name for name in FORMATS)


def test_every_format_comes_from_a_disk_or_a_tree_in_the_end() -> None:
    assert {origin(each) for each in FORMATS.values()} == {DISK, TREE}


@pytest.mark.parametrize("name", FORMATS)
def test_every_identity_can_be_written_down(name: str) -> None:
    identity = get(name).identity()
    assert json.loads(json.dumps(identity)) == identity


def test_an_unknown_format_is_bad_input() -> None:
    with pytest.raises(InputError, match=r"unknown format floppy.*known formats: .*qcow2"):
        get("floppy")


def test_raw_is_the_same_file_under_another_name(disk: Path, out: Path) -> None:
    get("raw").make(disk, out, ABOUT, Silent())
    assert (out / "raw").samefile(disk)


def test_raw_on_another_file_system_keeps_its_holes(disk: Path, out: Path) -> None:
    private_mounts()
    with mounted("tmpfs", out, "tmpfs"):
        get("raw").make(disk, out, ABOUT, Silent())
        assert (out / "raw").read_bytes() == disk.read_bytes()
        assert (out / "raw").stat().st_blocks * 512 < 20 * MIB


@pytest.mark.parametrize(("name", "compression"), [("qcow2", "zstd"), ("qcow2-zlib", "zlib")])
def test_qcow2_is_compressed_and_depends_on_no_other_file(
    disk: Path, out: Path, name: str, compression: str,
) -> None:
    get(name).make(disk, out, ABOUT, Silent())
    (path,) = out.iterdir()
    info = json.loads(subprocess.run(
        ["qemu-img", "info", "--output=json", path], check=True, capture_output=True).stdout)
    assert info["virtual-size"] == 64 * MIB
    assert info["format-specific"]["data"]["compression-type"] == compression
    assert "backing-filename" not in info
    assert path.stat().st_size < 5 * MIB, "3 MiB of noise, and nearly nothing for the rest"


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.source == DISK])
def test_a_full_disk_fails_and_says_so(disk: Path, out: Path, name: str) -> None:
    private_mounts()
    os.truncate(disk, 1 << 30)  # Google's takes whole GiB
    with (
        mounted("tmpfs", out, "tmpfs", ["size=1m"]),
        pytest.raises((OSError, ProgramError)) as failure,
    ):
        get(name).make(disk, out, ABOUT, Silent())
    error = failure.value
    assert getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)


def test_the_identity_of_qcow2_names_level_and_version_of_the_compressor() -> None:
    identity = get("qcow2").identity()
    assert identity["level"] == "3"
    assert identity["zstd"].startswith("1.")
