"""The wheel holds the whole house: every file of the rooms as it is, and no file more."""

from __future__ import annotations

import configparser
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tools import packaged

CHECKOUT = packaged.CHECKOUT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(packaged.wheel(tmp_path_factory.mktemp("wheel")))


def test_it_holds_every_file_of_the_rooms_and_none_more(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == {name for name in packaged.files() if name.split("/")[0] in packaged.ROOMS}


def test_every_file_is_the_same_and_programs_can_be_run(wheel: zipfile.ZipFile) -> None:
    for info in wheel.infolist():
        if ".dist-info/" not in info.filename:
            path = CHECKOUT / info.filename
            assert not path.is_symlink(), f"{path}: a wheel has no symbolic links"
            assert wheel.read(info) == path.read_bytes(), path
            assert bool(info.external_attr >> 16 & stat.S_IXUSR) == bool(
                path.stat().st_mode & stat.S_IXUSR), path


def test_it_says_what_setup_cfg_says(wheel: zipfile.ZipFile) -> None:
    said = configparser.ConfigParser()
    said.read(CHECKOUT / "setup.cfg")
    (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    metadata = wheel.read(name).decode()
    assert f"\nVersion: {said['metadata']['version']}\n" in metadata
    for line in said["options"]["install_requires"].split("\n"):
        if line:
            assert f"Requires-Dist: {line.split()[0]} " in metadata.replace("(", ""), line


def test_the_version_stands_in_one_place() -> None:
    """And the changelog has what it brought."""
    version = (CHECKOUT / "setup.cfg").read_text().partition("version = ")[2].split("\n")[0]
    assert f"\n## {version}\n" in (CHECKOUT / "CHANGELOG.md").read_text()
    said = subprocess.run([Path(sys.executable).with_name("ccis"), "--version"], text=True,
                          capture_output=True, check=True)
    assert said.stdout == f"ccis {version}\n"


def test_its_command_is_ccis(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    assert wheel.read(name).decode().split() == [
        "[console_scripts]", "ccis", "=", "ccis.start:main"]


def test_the_copy_has_no_path_to_the_checkout(wheel: zipfile.ZipFile) -> None:
    assert Path(str(wheel.filename)).is_file()
    for name in wheel.namelist():
        assert str(CHECKOUT).encode() not in wheel.read(name), name
