"""The RPM: rpmbuild makes it here, and what is in it runs from where it would be installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
PYTHON = sys.executable
HOME = "usr/share/ccis"


def output(*words: str | Path, **options: Any) -> str:
    """Return what a program prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture(scope="module")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    output(CHECKOUT / "tools/package", folder)
    (found,) = folder.glob("ccis-*.noarch.rpm")
    assert {path.suffix for path in folder.iterdir()} == {".gz", ".whl", ".rpm"}
    return found


@pytest.fixture(scope="module")
def root(rpm: Path) -> Path:
    """Return a folder with the package's files in their places."""
    folder = rpm.parent / "root"
    folder.mkdir()
    with subprocess.Popen(["rpm2cpio", rpm], stdout=subprocess.PIPE) as unpacked:
        subprocess.run(["cpio", "-idm", "--quiet"], cwd=folder, stdin=unpacked.stdout, check=True)
    return folder


def test_it_asks_for_what_the_spec_names_and_for_nothing_of_the_rehearsal_s_scripts(
    rpm: Path,
) -> None:
    spec = (CHECKOUT / "packaging/ccis.spec").read_text()
    named = set(re.findall(r"^Requires:\s+(.*)$", spec, re.MULTILINE))
    asked = {line for line in output("rpm", "-qp", "--requires", rpm).splitlines()
             if not line.startswith("rpmlib(")}
    assert asked == named | {"/usr/bin/python3"}
    assert output("rpm", "-qp", "--provides", rpm).split()[0] == "ccis"


def test_it_has_pages_completion_and_documents(root: Path) -> None:
    pages = {path.name.partition(".")[0] for path in (root / "usr/share/man/man1").iterdir()}
    commands = {path.stem for path in (CHECKOUT / "ccis/commands").glob("[a-z]*.py")}
    assert pages == {"ccis", *(f"ccis-{command}" for command in commands)}
    for place in ("bash-completion/completions/ccis", "zsh/site-functions/_ccis",
                  "fish/vendor_completions.d/ccis.fish"):
        assert "_CCIS_COMPLETE" in (root / "usr/share" / place).read_text()
    assert list(root.glob("usr/share/doc/ccis*/README.md"))
    assert list(root.glob("usr/share/licenses/ccis*/LICENSE"))


def test_nothing_in_it_tells_where_it_was_made(rpm: Path, root: Path) -> None:
    traces = [b"rpm/BUILD", str(CHECKOUT).encode(), str(rpm.parent).encode()]
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            assert [trace for trace in traces if trace in content] == [], path


def test_its_command_runs_from_there_with_rooms_of_its_own(root: Path, tmp_path: Path) -> None:
    """By the venv's Python, which has what the package asks rpm for."""
    command = [PYTHON, "-P", root / "usr/bin/ccis"]
    environment = {**os.environ, "CCIS_CACHE": str(tmp_path)}
    assert (output(*command, "list", cwd="/", env=environment)
            == output(Path(PYTHON).with_name("ccis"), "list", env=environment))
    assert (root / "usr/bin/ccis").read_text().startswith("#!/usr/bin/python3 -sP\n")
    traced = subprocess.run(
        [PYTHON, "-P", "-v", root / "usr/bin/ccis", "--version"], cwd="/", env=environment,
        capture_output=True, text=True, check=True)
    assert f"{root / HOME}/ccis/main.py" in traced.stderr
    assert f"{CHECKOUT}/ccis/" not in traced.stderr
