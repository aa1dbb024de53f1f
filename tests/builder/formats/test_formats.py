"""Formats are found by being there, and keep the disk as it is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from builder.formats import FORMATS, get, qcow2
from host.errors import HostError, InputError
from host.mounts import mounted, private_mounts
from host.progress import Silent

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with something at its beginning, its end, and zeroes and a hole between."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as stream:
        stream.write(os.urandom(3 * MIB) + b"text " * MIB + bytes(5 * MIB))
        stream.seek(64 * MIB - 512)
        stream.write(b"backup table".ljust(512, b"."))
    return path


def test_every_module_of_the_folder_is_a_format() -> None:
    folder = Path(qcow2.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {Path(str(each.__file__)).stem for each in FORMATS.values()} == modules  # type: ignore[attr-defined]
    assert all(get(name).name == name for name in FORMATS)


def test_an_unknown_format_is_bad_input() -> None:
    with pytest.raises(InputError, match=r"unknown format floppy.*known formats: .*qcow2"):
        get("floppy")


def test_raw_is_the_same_file_under_another_name(disk: Path, tmp_path: Path) -> None:
    get("raw").convert(disk, tmp_path / "out.raw", Silent())
    assert (tmp_path / "out.raw").samefile(disk)


def test_raw_on_another_file_system_keeps_its_holes(disk: Path, tmp_path: Path) -> None:
    private_mounts()
    other = tmp_path / "other"
    other.mkdir()
    with mounted("tmpfs", other, "tmpfs"):
        get("raw").convert(disk, other / "out.raw", Silent())
        assert (other / "out.raw").read_bytes() == disk.read_bytes()
        assert (other / "out.raw").stat().st_blocks * 512 < 20 * MIB


@pytest.mark.parametrize("compression", ["zstd", "zlib"])
def test_qcow2_is_sound_compressed_and_holds_the_same_disk(
    disk: Path, tmp_path: Path, compression: qcow2.Compression,
) -> None:
    target = tmp_path / "out.qcow2"
    qcow2.convert(disk, target, Silent(), compression=compression)
    check = subprocess.run(
        ["qemu-img", "check", "--output=json", target], check=True, capture_output=True,
    )
    assert json.loads(check.stdout)["check-errors"] == 0
    subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", disk, target], check=True)
    info = json.loads(subprocess.run(
        ["qemu-img", "info", "--output=json", target], check=True, capture_output=True,
    ).stdout)
    assert info["virtual-size"] == 64 * MIB
    assert info["format-specific"]["data"]["compression-type"] == compression
    assert "backing-filename" not in info
    assert target.stat().st_size < 5 * MIB, "3 MiB of noise, and nearly nothing for the rest"


@pytest.mark.parametrize("name", ["raw", "qcow2"])
def test_a_full_disk_leaves_no_artefact(disk: Path, tmp_path: Path, name: str) -> None:
    private_mounts()
    small = tmp_path / "small"
    small.mkdir()
    with mounted("tmpfs", small, "tmpfs", ["size=1m"]):
        with pytest.raises(HostError, match=r"No space left on device.*free some space"):
            get(name).convert(disk, small / "out", Silent())
        assert list(small.iterdir()) == []


def test_the_identity_of_qcow2_names_options_and_tool() -> None:
    identity = get("qcow2").identity()
    assert "compression_type=zstd" in identity["options"]
    assert identity["tool"].startswith("qemu-img version")
