"""The examples of docs/extending.md apply to the tree as it is, and their own tests pass there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "docs/examples"
NAMES = ("add-a-step", "add-a-volume-kind", "add-an-engine")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what git knows of the tree, as it lies there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, check=True,
                            capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (CHECKOUT / name).is_file():
            (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, tmp_path / "copy" / name, follow_symlinks=False)
    return tmp_path / "copy"


def added(diff: Path) -> list[str]:
    """Return the files that a diff adds; it must do nothing else."""
    text = diff.read_text()
    names = re.findall(r"^\+\+\+ b/(.+)$", text, re.MULTILINE)
    assert len(names) == text.count("\nnew file mode 100644\n") == text.count("\n--- /dev/null\n")
    return names


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run([sys.executable, "-m", *words], cwd=copy, env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_each_example_is_told() -> None:
    assert sorted(path.stem for path in EXAMPLES.iterdir()) == sorted(NAMES)
    assert set(NAMES) <= set(re.findall(r"\(examples/(.+?)\.diff\)",
                                        (CHECKOUT / "docs/extending.md").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_one_file_and_its_test(copy: Path, name: str) -> None:
    diff = EXAMPLES / f"{name}.diff"
    module, test = added(diff)
    assert (module.startswith("builder/"), test.startswith("tests/builder/")) == (True, True)
    subprocess.run(["git", "apply", diff], cwd=copy, check=True)
    linted = run(copy, "ruff", "check", "--no-cache", module, test)
    assert linted.returncode == 0, linted.stdout
    done = run(copy, "pytest", "-q", "-p", "no:cacheprovider", "-m", "not integration", test,
               f"--basetemp={copy.parent / 'temporary'}")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)
