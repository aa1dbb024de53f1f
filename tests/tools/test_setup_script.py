"""tools/setup: quick where nothing is missing, clear where it can't help."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
TOOLS = CHECKOUT / "tools"
LISTS = sorted(TOOLS.glob("packages.*.txt"))


def packages(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def copy_of_checkout(folder: Path) -> Path:
    """Return a folder with what set-up reads, and no venv."""
    shutil.copytree(TOOLS, folder / "tools")
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, folder)
    return folder


def setup(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([folder / "tools/setup", *words], capture_output=True, text=True,
                          check=False, env={**os.environ, **environment},
                          stdin=subprocess.DEVNULL, timeout=600)


@pytest.mark.alone
def test_a_second_run_does_nothing_and_takes_no_time() -> None:
    assert setup(CHECKOUT).returncode == 0
    began = time.monotonic()
    done = setup(CHECKOUT)
    assert time.monotonic() - began < 2  # 0.03 s on a quiet machine
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_of_the_list_is_missing_after_set_up() -> None:
    assert setup(CHECKOUT, "--check").returncode == 0


def test_a_missing_package_is_named_and_only_root_can_help(tmp_path: Path) -> None:
    folder = copy_of_checkout(tmp_path)
    with (folder / "tools/packages.debian.txt").open("a") as stream:
        stream.write("no-such-package-anywhere  # for this test\n")
    done = setup(folder, "--check")
    assert done.returncode == 1
    assert "missing packages: no-such-package-anywhere" in done.stderr
    for parent in (tmp_path, *tmp_path.parents[:-2]):  # all below /tmp
        parent.chmod(0o755)
    other = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", folder / "tools/setup"],
        capture_output=True, text=True, check=False, cwd="/")
    assert other.returncode == 3
    assert "run as root: tools/setup (missing: no-such-package-anywhere)" in other.stderr


def test_a_host_without_apt_and_dnf_is_told_so(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "mktemp", "rm", "flock"):
        (programs / name).symlink_to(str(shutil.which(name)))
    done = setup(CHECKOUT, PATH=str(programs))
    assert done.returncode == 3
    assert "neither apt-get nor dnf" in done.stderr
    assert "Debian 12 or CentOS Stream 10" in done.stderr


def test_a_changed_setup_cfg_is_noticed(tmp_path: Path) -> None:
    folder = copy_of_checkout(tmp_path)
    done = setup(folder, "--check")
    assert done.returncode == 1
    assert "the venv in .venv is missing or older than setup.cfg" in done.stderr


def test_a_wrong_option_is_bad_usage() -> None:
    assert setup(CHECKOUT, "--frob").returncode == 2


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_a_list_names_each_package_once(path: Path) -> None:
    names = packages(path)
    assert len(names) > 25
    assert sorted(set(names)) == sorted(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+_-]+", name) for name in names)


def test_no_file_here_names_a_registry() -> None:
    """Where packages come from is the host's business: its mirrors and proxies are set there."""
    for path in [*TOOLS.iterdir(), CHECKOUT / "Makefile", CHECKOUT / ".ci/run"]:
        if path.is_file():
            assert not re.search(r"https?://", path.read_text()), path


@pytest.mark.parametrize("script", ["tools/setup", "tools/demo", ".ci/run"])
def test_the_scripts_are_sound(script: str) -> None:
    path = CHECKOUT / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", path], check=True)


@pytest.mark.integration
def test_a_venv_is_made_that_sees_the_distribution_s_modules(tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, folder], check=True)
    done = setup(folder)
    assert done.returncode == 0, done.stderr
    python = folder / ".venv/bin/python"
    subprocess.run([python, "-c", "import guestfs, dnf, rpm, createrepo_c, pykickstart, pytest"],
                   check=True)
    where = subprocess.run([python, "-c", "import ccis; print(ccis.__file__)"], cwd="/",
                           capture_output=True, text=True, check=True)
    assert Path(where.stdout.strip()).is_relative_to(folder)
    began = time.monotonic()
    assert setup(folder).stderr == ""
    assert time.monotonic() - began < 5
