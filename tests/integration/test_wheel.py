"""ccis without a checkout: the wheel in a venv of its own plans and builds the very same images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tools import packaged

Ccis = Callable[..., subprocess.CompletedProcess[str]]
IMAGE = ("container-minimal", "--release", "rehearsal-10", "--format", "oci,tar-zst")
ABOUT = """
import json, pkgutil, builder.steps, rehearsal.cache
from builder import identity
print(json.dumps([rehearsal.cache.source_digest(), {each.name: identity.code_identity(
    f"builder.steps.{each.name}") for each in pkgutil.iter_modules(builder.steps.__path__)}]))
"""


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a venv made as README says, with the wheel and what pip fetches for it."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = packaged.wheel(folder)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", folder / "venv"],
                   check=True)
    subprocess.run([folder / "venv/bin/pip", "--disable-pip-version-check", "install", "--quiet",
                    wheel], check=True)
    return folder / "venv"


@pytest.fixture
def installed(venv: Path, tmp_path: Path) -> Ccis:
    """Return a function that runs the installed command, somewhere else."""
    def run(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [venv / "bin/ccis", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={name: value for name, value in os.environ.items()
                 if not name.startswith("PYTHON")}, stdin=subprocess.DEVNULL)
        assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


def test_nothing_comes_from_the_checkout(venv: Path) -> None:
    done = subprocess.run(
        [venv / "bin/python", "-I", "-c", "import sys, " + ", ".join(packaged.ROOMS)
         + "\nprint(*sys.path, *(sys.modules[name].__path__[0] for name in "
         + repr(packaged.ROOMS) + "), sep='\\n')"],
        capture_output=True, text=True, check=True)
    assert str(packaged.CHECKOUT) not in done.stdout
    assert done.stdout.count(f"{venv}/lib/") == len(packaged.ROOMS) + 1


def test_it_says_what_the_checkout_says(installed: Ccis, ccis: Any) -> None:
    for words in (["--version"], ["list"], ["lint", packaged.CHECKOUT / "kickstarts/live.ks"]):
        assert installed(*words).stdout == ccis(*words).stdout
    checks = json.loads(installed("doctor", "--json").stdout)["checks"]
    assert {check["status"] for check in checks} <= {"ok", "warning"}


def test_steps_and_the_rehearsal_have_the_same_identity(venv: Path) -> None:
    """What one has made, the other takes from the store."""
    ours, theirs = (
        json.loads(subprocess.run([python, "-P", "-c", ABOUT], cwd="/", capture_output=True,
                                  text=True, check=True).stdout)
        for python in (sys.executable, venv / "bin/python"))
    assert ours == theirs


def test_an_image_is_built(installed: Ccis, ccis: Any, tmp_path: Path) -> None:
    """The checkout's build takes all steps from the store afterwards, or the other way round."""
    (built,) = json.loads(installed(
        "build", *IMAGE, "--out", "installed", "--json").stdout)
    (plan,) = json.loads(installed("plan", *IMAGE, "--json").stdout)
    assert all(step["hit"] for step in plan["steps"])
    (again,) = ccis.json("build", *IMAGE, "--out", tmp_path / "checkout")
    assert built["digest"] == plan["digest"] == again["digest"]
    assert {artefact["sha256"] for artefact in built["artefacts"]} == {
        artefact["sha256"] for artefact in again["artefacts"]}
    for artefact in built["artefacts"]:
        assert (tmp_path / built["folder"] / artefact["file"]).stat().st_size > 10 << 20
