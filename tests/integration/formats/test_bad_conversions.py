"""What goes wrong on the way to an artefact ends with one clear error and leaves nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

IMAGE = ("generic-cloud", "--release", "rehearsal-10")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system whose size can be changed while it is in use."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6g", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("image_format", ["vdi", "raw-zst", "tar-zst"])
def test_a_full_disk_in_mid_conversion(
    ccis: Any, built: Path, small_disk: Path, tmp_path: Path, image_format: str,
) -> None:
    store, out = small_disk / "store", tmp_path / "out"
    ccis("build", *IMAGE, "--format", "raw", "--out", out, store=store)
    before = set((store / "objects").glob("*/*"))
    used_kib = int(subprocess.run(["du", "-sk", small_disk], capture_output=True, text=True,
                                  check=True).stdout.split()[0])
    subprocess.run(["mount", "-o", f"remount,size={used_kib + (24 << 10)}k", small_disk],
                   check=True)
    done = ccis("build", *IMAGE, "--format", image_format, "--out", tmp_path / "more",
                store=store, status=3)
    assert "No space left on device" in done.stderr
    assert f"step: {image_format}" in done.stderr
    assert "free some space there" in done.stderr
    assert not list((tmp_path / "more").glob("*"))
    assert not list((store / "staging").iterdir())
    assert set((store / "objects").glob("*/*")) == before
    subprocess.run(["mount", "-o", "remount,size=6g", small_disk], check=True)
    ccis("build", *IMAGE, "--format", image_format, "--out", tmp_path / "more", store=store)


@pytest.mark.parametrize(("words", "message"), [
    (("--target", "gce", "--format", "vhdx"), "Google Compute Engine does not take vhdx"),
    (("--target", "aws,gogle"), "there is no target 'gogle'"),
    (("--format", "qcow3"), "unknown format qcow3"),
    (("container-base", "--format", "raw"), "container-base has no disk to make raw of"),
])
def test_what_cannot_be_ends_with_status_2(
    ccis: Any, built: Path, tmp_path: Path, words: tuple[str, ...], message: str,
) -> None:
    image = () if words[0] == "container-base" else ("generic-cloud",)
    done = ccis("build", *image, *words, "--release", "rehearsal-10", "--out", tmp_path / "out",
                status=2)
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
